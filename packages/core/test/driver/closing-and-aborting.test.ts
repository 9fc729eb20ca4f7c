import assert from "node:assert/strict";
import { OffsetStoreError, type OffsetStoreErrorCode } from "@tidemark/core";
import { createOffsetStore } from "@tidemark/core/driver";
import { describe, it, onTestFinished, vi } from "vitest";
import { keys, never, type TinyDriver, tinyDriver, write } from "./tiny-driver.ts";

const [key = { consumer: "c", topic: "t", partition: 0 }] = keys(1);
const claimEntry = { key, token: "t1", owner: "o" };
const commitEntry = { key, token: "t1", nextOffset: 1n };
const stored = { version: "123456789012", value: '{"v":1,"epoch":1}', writtenAt: 1 };

function withCode(code: OffsetStoreErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof OffsetStoreError && error.code === code;
}

describe("closing and aborting", () => {
  it("ends a call in time, also where fake timers of a test of the user's have come and gone (contract 3.9a)", async () => {
    const timeout = 1_234;
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const waiting = createOffsetStore(tinyDriver({ read: never }), { timeout }).fetch([key]);
    const late = assert.rejects(waiting, withCode("TIMEOUT"));
    await vi.advanceTimersByTimeAsync(timeout);
    await late;
    await createOffsetStore(tinyDriver(), { timeout }).fetch([key]);
    vi.useRealTimers();
    const store = createOffsetStore(tinyDriver({ read: never }), { timeout });
    await assert.rejects(store.fetch([key]), withCode("TIMEOUT"));
  });

  it("ends a call in time where timers were faked and put back while others were open (contract 3.9a)", async () => {
    const timeout = 321;
    const store = createOffsetStore(tinyDriver({ read: never }), { timeout });
    const calls = [store.fetch([key])];
    const begunAt = performance.now();
    while (performance.now() < begunAt + timeout / 2) await new Promise((resolve) => setImmediate(resolve));
    calls.push(store.fetch([key]));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    // Its timer fires now, and another one is set.
    await assert.rejects(calls[0] as Promise<unknown>, withCode("TIMEOUT"));
    vi.useRealTimers();
    await assert.rejects(calls[1] as Promise<unknown>, withCode("TIMEOUT"));
  });

  it("ends a call in time where somebody has cleared all timers before (contract 3.9a)", async () => {
    const timeout = 123;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    await createOffsetStore(tinyDriver(), { timeout }).fetch([key]);
    vi.clearAllTimers();
    const clearedAt = performance.now();
    while (performance.now() < clearedAt + 3 * timeout) await new Promise((resolve) => setImmediate(resolve));
    let isOver = false;
    const call = createOffsetStore(tinyDriver({ read: never }), { timeout }).fetch([key]);
    const late = assert.rejects(call, withCode("TIMEOUT")).finally(() => (isOver = true));
    while (!isOver) {
      await vi.advanceTimersByTimeAsync(timeout);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await late;
  });

  it("waits for all batches of a call in flight, and closes the driver once", async () => {
    let closed = 0;
    let writes = 0;
    const gate = Promise.withResolvers<void>();
    const driver: TinyDriver = tinyDriver({
      write: async (changes) => {
        writes += 1;
        assert.equal(closed, 0, "the driver was closed under a call");
        await gate.promise;
        return write(driver, changes);
      },
      close: async () => void (closed += 1),
    });
    const store = createOffsetStore(driver);
    const call = store.claim(keys(9).map((each) => ({ ...claimEntry, key: each })));
    const closing = [store.close(), store.close()];
    await assert.rejects(store.fetch([key]), withCode("CLOSED"));
    gate.resolve();
    assert.ok((await call).every(({ status }) => status === "claimed"));
    await Promise.all(closing);
    assert.equal(writes, 3);
    assert.equal(closed, 1);
  });

  it("refuses after closing, the next page of a listing too", async () => {
    const store = createOffsetStore(
      tinyDriver({
        list: async function* () {
          for (;;) yield { now: 1, entries: [{ key, entry: stored }] };
        },
      }),
    );
    const listing = store.list()[Symbol.asyncIterator]();
    assert.equal((await listing.next()).done, false);
    await store.close();
    await assert.rejects(listing.next(), withCode("CLOSED"));
    await assert.rejects(store.delete({ topic: "t" }), withCode("CLOSED"));
  });

  it("closes the driver once the time is up, also under a write that was given up and a listing (contract 4.8b)", async () => {
    let [closed, left] = [0, 0];
    const driver = tinyDriver({
      write: never,
      list: async function* () {
        try {
          for (;;) yield { now: 1, entries: [{ key, entry: stored }] };
        } finally {
          left = closed;
        }
      },
      close: async () => void (closed += 1),
    });
    const store = createOffsetStore(driver, { timeout: 30 });
    await assert.rejects(store.claim([claimEntry]), withCode("TIMEOUT"));
    const listing = store.list()[Symbol.asyncIterator]();
    assert.equal((await listing.next()).done, false);
    await store.close();
    assert.deepEqual([closed, left], [1, 0]);
    await assert.rejects(listing.next(), withCode("CLOSED"));
    assert.deepEqual([closed, left], [1, 1], "a listing is left after the driver was closed");
  });

  it("rejects with signal.reason, whatever it is, and tells the driver", async () => {
    let told: AbortSignal | undefined;
    const store = createOffsetStore(
      tinyDriver({
        read: (_, context) => {
          told = context.signal;
          return never();
        },
      }),
    );
    const controller = new AbortController();
    const call = store.commit([commitEntry], { signal: controller.signal });
    controller.abort("stop");
    await assert.rejects(call, (error: unknown) => error === "stop");
    assert.equal(told?.aborted, true);
  });

  it("sends nothing more for a call that was aborted or timed out (contract 3.9b)", async () => {
    const reading = Promise.withResolvers<void>();
    let writes = 0;
    const driver: TinyDriver = tinyDriver({
      read: async () => {
        await reading.promise;
        return { now: 1_000, entries: [undefined] };
      },
      write: async (changes) => {
        writes += 1;
        return write(driver, changes);
      },
    });
    const store = createOffsetStore(driver, { timeout: 30 });
    const controller = new AbortController();
    const aborted = store.claim([claimEntry], { signal: controller.signal });
    const late = store.claim([{ ...claimEntry, token: "t2" }]);
    controller.abort("stop");
    await assert.rejects(aborted, (error: unknown) => error === "stop");
    await assert.rejects(late, withCode("TIMEOUT"));
    reading.resolve();
    await new Promise(setImmediate);
    assert.equal(writes, 0, "a call that was given up has written");
  });

  it("asks for no more pages for a removal that was aborted or timed out, also where nothing is to be removed (contract 3.9b)", async () => {
    for (const isAborted of [true, false]) {
      const answer = Promise.withResolvers<void>();
      let asked = 0;
      const list = async function* () {
        for (asked = 1; asked < 10; asked += 1) {
          await answer.promise;
          yield { now: 1, entries: [{ key, entry: stored }] };
        }
      };
      const store = createOffsetStore(tinyDriver({ list }), { timeout: isAborted ? 10_000 : 30 });
      const controller = new AbortController();
      const sweep = store.delete({ expired: true }, { signal: controller.signal });
      if (isAborted) controller.abort("stop");
      await assert.rejects(sweep, isAborted ? (error: unknown) => error === "stop" : withCode("TIMEOUT"));
      answer.resolve();
      await new Promise(setImmediate);
      assert.equal(asked, 1, "a call that was given up asks for pages");
    }
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

  it("names what a listing could not read after the rest (contract 3.3b)", async () => {
    const [bad = key, good = key] = keys(2);
    const store = createOffsetStore(
      tinyDriver({
        list: async function* () {
          yield { now: 1, entries: [{ key: bad, entry: { error: new Error("bad bytes") } }] };
          yield { now: 1, entries: [{ key: good, entry: stored }] };
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
