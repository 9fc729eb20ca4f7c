import assert from "node:assert/strict";
import { OffsetStoreError, type OffsetStoreErrorCode } from "@tidemark/core";
import { createOffsetStore, type OffsetStoreEvent } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { keys, never, PassingError, tinyCapabilities, tinyDriver } from "./tiny-driver.ts";

const [key = { consumer: "c", topic: "t", partition: 0 }] = keys(1);
const entry = { key, token: "t1", owner: "o", nextOffset: 1n, ttl: null };

function withCode(code: OffsetStoreErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof OffsetStoreError && error.code === code;
}

describe("time-outs", () => {
  it("ends every verb of a driver that never answers with TIMEOUT (contract 3.9a)", async () => {
    const silent = { claim: never, commit: never, fetch: never, reset: never, expire: never, delete: never };
    const list = async function* () {
      await never();
    };
    const store = createOffsetStore(tinyDriver({ ...silent, list }), { timeout: 30 });
    await Promise.all([
      assert.rejects(store.claim([entry]), withCode("TIMEOUT")),
      assert.rejects(store.commit([entry]), withCode("TIMEOUT")),
      assert.rejects(store.fetch([key]), withCode("TIMEOUT")),
      assert.rejects(store.reset([entry]), withCode("TIMEOUT")),
      assert.rejects(store.expire([entry]), withCode("TIMEOUT")),
      assert.rejects(store.delete({ keys: [key] }), withCode("TIMEOUT")),
      assert.rejects(Array.fromAsync(store.list()), withCode("TIMEOUT")),
    ]);
    await store.close();
  });

  it("ends a close that the driver never ends, and wraps one that fails", async () => {
    await assert.rejects(createOffsetStore(tinyDriver({ close: never }), { timeout: 30 }).close(), withCode("TIMEOUT"));
    const failing = createOffsetStore(tinyDriver({ close: () => Promise.reject(new PassingError("x")) }));
    await assert.rejects(failing.close(), withCode("UNAVAILABLE"));
  });

  it("ends a commit inside a transaction with TIMEOUT, and passes the driver's own errors unwrapped (contract 3.16d)", async () => {
    const capabilities = { ...tinyCapabilities, transactions: true };
    const silent = createOffsetStore<object>(tinyDriver<object>({ capabilities, commit: never }), { timeout: 30 });
    await assert.rejects(silent.commit([entry], { transaction: {} }), withCode("TIMEOUT"));
    const own = new PassingError("with the labels that withTransaction looks at");
    let attempts = 0;
    const commit = async (): Promise<never> => {
      attempts += 1;
      throw own;
    };
    const failing = createOffsetStore<object>(tinyDriver<object>({ capabilities, commit }));
    await assert.rejects(failing.commit([entry], { transaction: {} }), (error) => error === own);
    assert.equal(attempts, 1);
  });

  it("says what a TIMEOUT was about, and that it may be repeated", async () => {
    const store = createOffsetStore(tinyDriver({ fetch: never }), { timeout: 20 });
    await assert.rejects(store.fetch(keys(2)), (error: unknown) => {
      assert.ok(error instanceof OffsetStoreError);
      assert.equal(error.retryable, true);
      assert.equal(error.operation, "fetch");
      assert.equal(error.store, "tiny");
      assert.match(error.message, /consumer "c" on topic "t" partition "1".*20 ms.*safe/);
      return true;
    });
  });

  it("does not send further batches once the time is up, and answers them as failed", async () => {
    let calls = 0;
    const store = createOffsetStore(
      tinyDriver({
        fetch: async (batch) => {
          calls += 1;
          return calls === 1 ? batch.map(() => ({ status: "absent" })) : never();
        },
      }),
      { timeout: 40 },
    );
    const outcomes = await store.fetch(keys(9));
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === "failed" ? outcome.error.code : outcome.status)),
      [...Array<string>(3).fill("absent"), ...Array<string>(6).fill("TIMEOUT")],
    );
    assert.equal(calls, 2);
  });
});

describe("retries", () => {
  it("tries what may pass three times at most, with an event for each repetition", async () => {
    for (const verb of ["claim", "commit", "fetch", "expire"] as const) {
      const events: OffsetStoreEvent[] = [];
      let attempts = 0;
      const failing = async (): Promise<never> => {
        attempts += 1;
        throw new PassingError("away");
      };
      const store = createOffsetStore(tinyDriver({ [verb]: failing }), { onEvent: (event) => events.push(event) });
      const calls = {
        claim: () => store.claim([entry]),
        commit: () => store.commit([entry]),
        fetch: () => store.fetch([key]),
        expire: () => store.expire([entry]),
      };
      await assert.rejects(calls[verb](), withCode("UNAVAILABLE"));
      assert.equal(attempts, 3, verb);
      assert.deepEqual(
        events.map((event) => event.type === "retry" && [event.type, event.attempt, event.operation]),
        [
          ["retry", 1, verb],
          ["retry", 2, verb],
        ],
      );
    }
  });

  it("gives the answer of the attempt that succeeds", async () => {
    let attempts = 0;
    const store = createOffsetStore(
      tinyDriver({
        commit: async (entries) => {
          attempts += 1;
          if (attempts < 3) throw new PassingError("away");
          return entries.map(() => ({ status: "committed" }));
        },
      }),
    );
    assert.deepEqual(await store.commit([entry]), [{ status: "committed" }]);
  });

  it("repeats neither reset nor delete, nor what cannot pass", async () => {
    let attempts = 0;
    const failing = async (): Promise<never> => {
      attempts += 1;
      throw new PassingError("away");
    };
    const store = createOffsetStore(tinyDriver({ reset: failing, delete: failing }));
    await assert.rejects(store.reset([entry]), withCode("UNAVAILABLE"));
    await assert.rejects(store.delete({ topic: "t" }), withCode("UNAVAILABLE"));
    assert.equal(attempts, 2);
    const cause = new Error("no such luck");
    const broken = createOffsetStore(tinyDriver({ fetch: () => ((attempts += 1), Promise.reject(cause)) }));
    await assert.rejects(broken.fetch([key]), (error: unknown) => {
      assert.ok(error instanceof OffsetStoreError);
      assert.equal(error.cause, cause);
      return error.code === "UNKNOWN";
    });
    assert.equal(attempts, 3);
  });
});

describe("batches", () => {
  it("cuts by maxBatch and keeps the order of the answers", async () => {
    const sizes: number[] = [];
    const store = createOffsetStore(
      tinyDriver({
        fetch: async (batch) => {
          sizes.push(batch.length);
          return batch.map((each) => ({ status: "found", record: { ...each, metadata: "" } }));
        },
      }),
    );
    const asked = keys(8).toReversed();
    const outcomes = await store.fetch(asked);
    assert.deepEqual(sizes, [3, 3, 2]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status === "found" && outcome.record.partition),
      asked.map(({ partition }) => partition),
    );
  });

  it("cuts a commit inside a transaction too", async () => {
    const sizes: number[] = [];
    const capabilities = { ...tinyCapabilities, transactions: true };
    const store = createOffsetStore<object>(
      tinyDriver<object>({
        capabilities,
        commit: async (batch) => {
          sizes.push(batch.length);
          return batch.map(() => ({ status: "committed" }));
        },
      }),
    );
    const entries = keys(7).map((each) => ({ ...entry, key: each }));
    assert.equal((await store.commit(entries, { transaction: {} })).length, 7);
    assert.deepEqual(sizes, [3, 3, 1]);
  });

  it("cuts the keys of a delete too, and tells all that were removed", async () => {
    const sizes: number[] = [];
    const store = createOffsetStore(
      tinyDriver({
        delete: async (selector) => {
          assert.ok("keys" in selector);
          sizes.push(selector.keys.length);
          return selector.keys;
        },
      }),
    );
    assert.deepEqual(await store.delete({ keys: keys(7) }), keys(7));
    assert.deepEqual(sizes, [3, 3, 1]);
    assert.deepEqual(await store.delete({ keys: [] }), []);
  });

  it("refuses a driver's answers where they are not one to each entry, inside a transaction too", async () => {
    const capabilities = { ...tinyCapabilities, transactions: true };
    const store = createOffsetStore<object>(
      tinyDriver<object>({ capabilities, commit: async () => [{ status: "committed" }], fetch: async () => [] }),
    );
    const entries = keys(2).map((each) => ({ ...entry, key: each }));
    await assert.rejects(store.commit(entries), /1 answers to 2 entries/);
    await assert.rejects(store.commit(entries, { transaction: {} }), /1 answers to 2 entries/);
    await assert.rejects(store.fetch([key]), withCode("UNKNOWN"));
  });

  it("keeps what was answered when a later batch fails; only a call without any answer rejects (contract 3.1e)", async () => {
    const failsAt = (failing: number) => {
      let calls = 0;
      return createOffsetStore(
        tinyDriver({
          reset: async (batch) => {
            calls += 1;
            if (calls === failing) throw new Error("broken");
            return batch.map(() => ({ status: "reset" }));
          },
        }),
      );
    };
    const entries = keys(9).map((each) => ({ key: each, nextOffset: 1n }));
    const outcomes = await failsAt(2).reset(entries);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["reset", "reset", "reset", "failed", "failed", "failed", "reset", "reset", "reset"],
    );
    await assert.rejects(failsAt(1).reset(entries), withCode("UNKNOWN"));
  });

  it("wraps the failure of one entry with its key", async () => {
    const cause = new Error("bad bytes");
    const store = createOffsetStore(
      tinyDriver({ fetch: async () => [{ status: "absent" }, { status: "failed", error: cause }] }),
    );
    const [, failed] = await store.fetch(keys(2));
    assert.ok(failed?.status === "failed");
    assert.deepEqual(failed.error.keys, keys(2).slice(1));
    assert.equal(failed.error.cause, cause);
  });
});
