import type { OffsetStore } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { type Writable, writePositions } from "../../src/commands/consumer/write-positions.ts";

interface Row extends Writable {
  readonly partition: number;
}

/** A store that does something else before each of its resets. */
function withReset(before: (call: number) => void | Promise<void>): OffsetStore {
  const store = createMemoryStore();
  const reset = store.reset.bind(store);
  let calls = 0;
  return Object.assign(store, {
    async reset(...args: Parameters<typeof reset>) {
      calls += 1;
      await before(calls);
      return await reset(...args);
    },
  });
}

async function write(store: OffsetStore) {
  const rows = Array.from({ length: 2500 }, (_, partition): Row => ({ partition, status: "planned" }));
  const end = await writePositions({
    store,
    rows,
    entriesOf: async (batch) =>
      batch.map(({ partition }) => ({ key: { consumer: "c", topic: "t", partition }, nextOffset: 1n })),
    onProgress: () => {},
  });
  return { end, statuses: rows.map(({ status }) => status) };
}

test("Ctrl-C waits for the batch that is on its way, and begins no other", async () => {
  await using store = withReset((call) => {
    if (call === 2) process.emit("SIGINT");
  });
  const listeners = process.listenerCount("SIGINT");
  const { end, statuses } = await write(store);
  expect(end).toEqual({ failure: undefined, isInterrupted: true });
  expect(statuses.indexOf("not-tried")).toBe(2000);
  expect(new Set(statuses.slice(0, 2000))).toEqual(new Set(["written"]));
  expect(new Set(statuses.slice(2000))).toEqual(new Set(["not-tried"]));
  expect(process.listenerCount("SIGINT")).toBe(listeners);
});

test("Ctrl-C in the last batch is too late to stop anything", async () => {
  await using store = withReset((call) => {
    if (call === 3) process.emit("SIGINT");
  });
  const { end, statuses } = await write(store);
  expect(end).toEqual({ failure: undefined, isInterrupted: false });
  expect(new Set(statuses)).toEqual(new Set(["written"]));
});

test("a store that fails in the middle: what came before is written, and nothing is tried after", async () => {
  await using store = withReset(async (call) => {
    if (call === 2) await store.close();
  });
  const { end, statuses } = await write(store);
  expect(end.failure?.message).toMatch(/closed/);
  expect([0, 999, 1000, 1999, 2000, 2499].map((index) => statuses[index])).toEqual([
    "written",
    "written",
    "failed",
    "failed",
    "not-tried",
    "not-tried",
  ]);
});
