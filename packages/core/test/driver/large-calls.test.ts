import assert from "node:assert/strict";
import { afterEach, describe, it, vi } from "vitest";
import { createOffsetStore } from "@tidemark/core/driver";
import { keys, tinyCapabilities, type TinyDriver, tinyDriver, write } from "./tiny-driver.ts";

const ENTRIES = 5_000;

afterEach(() => void vi.restoreAllMocks());

/** A store whose driver takes large calls, what is sent to it, and how often everything else had its turn before. */
function watchedStore() {
  const sent: { readonly verb: string; readonly entries: number; readonly turns: number }[] = [];
  let turns = 0;
  const driver: TinyDriver = tinyDriver({
    capabilities: { ...tinyCapabilities, maxBatch: 10_000 },
    read: async (asked) => {
      sent.push({ verb: "read", entries: asked.length, turns });
      return { now: 1_000, entries: asked.map((key) => driver.entries.get(JSON.stringify(key))) };
    },
    write: async (changes) => {
      sent.push({ verb: "write", entries: changes.length, turns });
      return { writtenAt: write(driver, changes).writtenAt, changes: undefined };
    },
  });
  const store = createOffsetStore(driver, { timeout: 3_600_000 });
  const callsOf = async (work: () => Promise<unknown>) => {
    sent.length = 0;
    turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns += 1;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    await work().finally(() => (isOver = true));
    return { sent: [...sent], turns };
  };
  return { store, callsOf };
}

describe("calls of many entries", () => {
  it("are decided in parts where that takes long, and are one read and one write all the same", async () => {
    const { store, callsOf } = watchedStore();
    // Whoever looks at the clock finds that a millisecond has passed: four, and it is the others' turn.
    let now = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => (now += 1));
    const each = (count: number, more: object) => keys(count).map((key) => ({ key, token: "t", owner: "o", ...more }));
    const claimed = await callsOf(() => store.claim(each(ENTRIES, {})));
    assert.deepEqual(
      claimed.sent.map(({ verb, entries }) => [verb, entries]),
      [
        ["read", ENTRIES],
        ["write", ENTRIES],
      ],
    );
    assert.ok((claimed.sent[1]?.turns ?? 0) >= 8, `${claimed.sent[1]?.turns} turns while it was decided`);
    const flushed = await callsOf(() => store.commit(each(ENTRIES, { nextOffset: 1n })));
    assert.deepEqual(
      flushed.sent.map(({ verb, entries }) => [verb, entries]),
      [["write", ENTRIES]],
    );
    assert.ok((flushed.sent[0]?.turns ?? 0) >= 8, `${flushed.sent[0]?.turns} turns before it was sent`);
    assert.ok(flushed.turns >= (flushed.sent[0]?.turns ?? 0) + 8, `${flushed.turns} turns until it was answered`);
    const small = await callsOf(() => store.commit(each(100, { nextOffset: 2n })));
    assert.deepEqual(small.sent, [{ verb: "write", entries: 100, turns: 0 }]);
  });
});
