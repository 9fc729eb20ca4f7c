import assert from "node:assert/strict";
import type { CommitEntry } from "@tidemark/core";
import { createOffsetStore, MAX_TTL_MS, resolveStoreOptions } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { tinyDriver } from "./tiny-driver.ts";

const key = { consumer: "c", topic: "t", partition: 0 };
const longRanges = Array.from({ length: 100 }, (_, index) => ({
  from: BigInt(2 * index + 2),
  to: BigInt(2 * index + 3),
}));

function untouched(): ReturnType<typeof createOffsetStore> {
  const refuse = (): never => assert.fail("the driver was called before the arguments were checked");
  return createOffsetStore(tinyDriver({ read: refuse, write: refuse, list: refuse }));
}

describe("arguments are checked before the driver is called", () => {
  it("of a commit", async () => {
    const good = { key, token: "t" };
    const bad: [unknown, typeof TypeError | typeof RangeError][] = [
      [{ ...good, key: undefined }, TypeError],
      [{ ...good, token: "" }, TypeError],
      [{ ...good, nextOffset: 1 }, TypeError],
      [{ ...good, nextOffset: -1n }, RangeError],
      [{ ...good, nextOffset: 2n ** 63n }, RangeError],
      [{ ...good, metadata: "a position is missing" }, TypeError],
      [{ ...good, rewind: true }, TypeError],
      [{ ...good, nextOffset: 1n, rewind: 1 }, TypeError],
      [{ ...good, release: "yes" }, TypeError],
      [{ ...good, epoch: -1 }, RangeError],
      [{ ...good, epoch: "1" }, TypeError],
      [{ ...good, nextoffset: 1n }, TypeError],
      [{ ...good, mark: "m" }, TypeError],
      [{ ...good, nextOffset: 1n, mark: "" }, TypeError],
      [{ ...good, nextOffset: 1n, resetFrom: { reason: "" } }, TypeError],
      [{ ...good, nextOffset: 1n, resetFrom: { reason: "r", nextOffset: -1n } }, RangeError],
      [{ ...good, nextOffset: 1n, acknowledged: {} }, TypeError],
      [{ ...good, nextOffset: 1n, acknowledged: [{ from: 3, to: 4n }] }, TypeError],
      [{ ...good, nextOffset: 1n, acknowledged: [{ from: 1n, to: 4n }] }, RangeError],
      [{ ...good, nextOffset: 1n, acknowledged: [{ from: 4n, to: 4n }] }, RangeError],
      [
        {
          ...good,
          nextOffset: 1n,
          acknowledged: [
            { from: 3n, to: 5n },
            { from: 5n, to: 6n },
          ],
        },
        RangeError,
      ],
      [{ ...good, nextOffset: 1n, acknowledged: longRanges }, RangeError],
      [{ ...good, nextOffset: 1n, metadata: "x".repeat(4097) }, RangeError],
      [{ ...good, nextOffset: 1n, metadata: "\ud800" }, TypeError],
      [{ ...good, ttl: MAX_TTL_MS + 1 }, RangeError],
      [{ ...good, recreate: "yes" }, TypeError],
      [{ ...good, owner: "" }, TypeError],
      [{ ...good, key: { ...key, partition: "0" } }, TypeError],
      [{ ...good, key: { ...key, partition: 2 ** 31 } }, RangeError],
      [null, TypeError],
    ];
    for (const [entry, kind] of bad) await assert.rejects(untouched().commit([entry as CommitEntry]), kind);
    await assert.rejects(untouched().commit("entries" as unknown as CommitEntry[]), TypeError);
    await assert.rejects(untouched().commit([good, good]), TypeError);
    await assert.rejects(untouched().commit(Array<CommitEntry>(2)), TypeError);
  });

  it("and an error shows no token (contract 3.17)", async () => {
    for (const token of ["secret\ud800", "secret".repeat(50), { toString: () => "secret" }]) {
      await assert.rejects(untouched().commit([{ key, token } as CommitEntry]), (error: unknown) => {
        assert.ok(error instanceof TypeError);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  });

  it("of the other verbs, a misspelt field too (contract 3.19e)", async () => {
    const claim = { key, token: "t", owner: "o" };
    for (const entry of [
      { ...claim, token: undefined },
      { ...claim, member: "" },
      { ...claim, Owner: "o" },
    ]) {
      await assert.rejects(untouched().claim([entry as never]), TypeError);
    }
    await assert.rejects(untouched().reset([{ key, nextOffset: 1n, mark: "m" } as never]), TypeError);
    await assert.rejects(untouched().expire([{ key, ttl: 1, TTL: 1 } as never]), TypeError);
  });

  it("of a filter and a selector", async () => {
    for (const filter of [null, "c", { consumer: "" }, { partition: 0.5 }, { topics: "t" }]) {
      assert.throws(() => untouched().list(filter as object), /Error/);
    }
    for (const selector of [
      {},
      { partition: 0 },
      { expired: 1 },
      { keys: "c" },
      { keys: [key], topic: "t" },
    ] as object[]) {
      await assert.rejects(untouched().delete(selector), TypeError);
    }
  });

  it("and what the caller changes afterwards is not seen by the driver", async () => {
    const gate = Promise.withResolvers<void>();
    let seen: unknown;
    const store = createOffsetStore(
      tinyDriver({
        read: async (keys) => {
          await gate.promise;
          seen = keys[0];
          return { now: 1, entries: keys.map(() => undefined) };
        },
      }),
    );
    const mine = { ...key };
    const call = store.fetch([mine]);
    mine.topic = "changed";
    gate.resolve();
    await call;
    assert.deepEqual(seen, key);
  });

  it("of a store (contract 3.21)", () => {
    assert.deepEqual(resolveStoreOptions({}), { namespace: "tidemark", timeout: 10_000 });
    for (const timeout of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 1.5, 2 ** 31]) {
      assert.throws(() => resolveStoreOptions({ timeout }), RangeError);
    }
    assert.throws(() => resolveStoreOptions({ namespace: "" }), TypeError);
    assert.throws(() => resolveStoreOptions({ timeout: "1" as unknown as number }), TypeError);
  });
});
