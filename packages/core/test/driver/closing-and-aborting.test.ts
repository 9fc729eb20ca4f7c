import assert from "node:assert/strict";
import { OffsetStoreError, type OffsetStoreErrorCode } from "@tidemark/core";
import { createOffsetStore } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { keys, never, tinyDriver } from "./tiny-driver.ts";

const [key = { consumer: "c", topic: "t", partition: 0 }] = keys(1);
const entry = { key, token: "t1", owner: "o", nextOffset: 1n, ttl: null };

function withCode(code: OffsetStoreErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof OffsetStoreError && error.code === code;
}

describe("closing and aborting", () => {
  it("waits for all batches of a call in flight, and closes the driver once", async () => {
    let closed = 0;
    const gate = Promise.withResolvers<void>();
    let calls = 0;
    const store = createOffsetStore(
      tinyDriver({
        claim: async (entries) => {
          calls += 1;
          assert.equal(closed, 0, "the driver was closed under a call");
          await gate.promise;
          return entries.map(() => ({ status: "claimed", record: undefined }));
        },
        close: async () => void (closed += 1),
      }),
    );
    const call = store.claim(keys(9).map((each) => ({ ...entry, key: each })));
    const closing = [store.close(), store.close()];
    await assert.rejects(store.fetch([key]), withCode("CLOSED"));
    gate.resolve();
    assert.ok((await call).every(({ status }) => status === "claimed"));
    await Promise.all(closing);
    assert.equal(calls, 3);
    assert.equal(closed, 1);
  });

  it("refuses after closing, the next page of a listing too", async () => {
    const store = createOffsetStore(
      tinyDriver({
        list: async function* () {
          for (;;) yield [{ status: "found", record: { ...key, metadata: "" } }];
        },
      }),
    );
    const listing = store.list()[Symbol.asyncIterator]();
    assert.equal((await listing.next()).done, false);
    await store.close();
    await assert.rejects(listing.next(), withCode("CLOSED"));
    await assert.rejects(store.delete({ topic: "t" }), withCode("CLOSED"));
  });

  it("rejects with signal.reason, whatever it is, and tells the driver", async () => {
    let told: AbortSignal | undefined;
    const store = createOffsetStore(
      tinyDriver({
        commit: async (_, { signal }) => {
          told = signal;
          return never();
        },
      }),
    );
    const controller = new AbortController();
    const call = store.commit([entry], { signal: controller.signal });
    controller.abort("stop");
    await assert.rejects(call, (error: unknown) => error === "stop");
    assert.equal(told?.aborted, true);
  });

  it("ends an aborted listing whose driver never answers", async () => {
    const list = async function* () {
      await never();
    };
    const controller = new AbortController();
    const store = createOffsetStore(tinyDriver({ list }));
    const call = Array.fromAsync(store.list({}, { signal: controller.signal }));
    setImmediate(() => controller.abort("stop"));
    await assert.rejects(call, (error: unknown) => error === "stop");
  });

  it("names what a listing could not read after the rest", async () => {
    const [bad = key, good = key] = keys(2);
    const store = createOffsetStore(
      tinyDriver({
        list: async function* () {
          yield [{ status: "failed", key: bad, error: new Error("bad bytes") }];
          yield [{ status: "found", record: { ...good, metadata: "" } }];
        },
      }),
    );
    const seen: number[] = [];
    await assert.rejects(
      async () => {
        for await (const { partition } of store.list()) seen.push(partition);
      },
      (error: unknown) => error instanceof OffsetStoreError && error.keys[0]?.partition === bad.partition,
    );
    assert.deepEqual(seen, [good.partition]);
  });
});
