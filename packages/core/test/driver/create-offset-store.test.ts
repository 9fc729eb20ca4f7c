import assert from "node:assert/strict";
import { OffsetStoreError, type OffsetStoreErrorCode } from "@tidemark/core";
import { createOffsetStore, type OffsetStoreDriver, type OffsetStoreEvent } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { keys, never, PassingError, tinyCapabilities, type TinyDriver, tinyDriver, write } from "./tiny-driver.ts";

const [key = { consumer: "c", topic: "t", partition: 0 }] = keys(1);
const claimEntry = { key, token: "t1", owner: "o" };
const commitEntry = { key, token: "t1", nextOffset: 1n };
const resetEntry = { key, nextOffset: 1n };
const expireEntry = { key, ttl: null };

function withCode(code: OffsetStoreErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof OffsetStoreError && error.code === code;
}

it("refuses a driver that begins transactions and takes none (contract 4.2h)", () => {
  const begin = async () => ({ transaction: {}, commit: async () => {}, rollback: async () => {} });
  assert.throws(() => createOffsetStore<object>(tinyDriver<object>({ begin })), {
    name: "TypeError",
    message: /the driver of the tiny store has `begin`.*`transactions: true`/,
  });
  const capabilities = { ...tinyCapabilities, transactions: true };
  assert.ok(createOffsetStore<object>(tinyDriver<object>({ begin, capabilities })).transact);
});

describe("time-outs", () => {
  it("ends every verb of a driver that never answers with TIMEOUT (contract 3.9a)", async () => {
    const list = async function* () {
      await never();
    };
    const store = createOffsetStore(tinyDriver({ read: never, write: never, list }), { timeout: 30 });
    await Promise.all([
      assert.rejects(store.claim([claimEntry]), withCode("TIMEOUT")),
      assert.rejects(store.commit([commitEntry]), withCode("TIMEOUT")),
      assert.rejects(store.fetch([key]), withCode("TIMEOUT")),
      assert.rejects(store.reset([resetEntry]), withCode("TIMEOUT")),
      assert.rejects(store.expire([expireEntry]), withCode("TIMEOUT")),
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
    const silent = createOffsetStore<object>(tinyDriver<object>({ capabilities, read: never }), { timeout: 30 });
    await assert.rejects(silent.commit([commitEntry], { transaction: {} }), withCode("TIMEOUT"));
    const own = new PassingError("with the labels that withTransaction looks at");
    let attempts = 0;
    const read = async (): Promise<never> => {
      attempts += 1;
      throw own;
    };
    const failing = createOffsetStore<object>(tinyDriver<object>({ capabilities, read }));
    await assert.rejects(failing.commit([commitEntry], { transaction: {} }), (error) => error === own);
    assert.equal(attempts, 1);
  });

  it("says what a TIMEOUT was about, and that it may be repeated", async () => {
    const store = createOffsetStore(tinyDriver({ read: never }), { timeout: 20 });
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
        read: async (batch) => {
          calls += 1;
          return calls === 1 ? { now: 1, entries: batch.map(() => undefined) } : never();
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
  const verbs = {
    claim: (driver: OffsetStoreDriver, onEvent?: (event: OffsetStoreEvent) => void) =>
      createOffsetStore(driver, { onEvent }).claim([claimEntry]),
    commit: (driver: OffsetStoreDriver, onEvent?: (event: OffsetStoreEvent) => void) =>
      createOffsetStore(driver, { onEvent }).commit([commitEntry]),
    fetch: (driver: OffsetStoreDriver, onEvent?: (event: OffsetStoreEvent) => void) =>
      createOffsetStore(driver, { onEvent }).fetch([key]),
    reset: (driver: OffsetStoreDriver, onEvent?: (event: OffsetStoreEvent) => void) =>
      createOffsetStore(driver, { onEvent }).reset([resetEntry]),
    expire: (driver: OffsetStoreDriver, onEvent?: (event: OffsetStoreEvent) => void) =>
      createOffsetStore(driver, { onEvent }).expire([expireEntry]),
    delete: (driver: OffsetStoreDriver, onEvent?: (event: OffsetStoreEvent) => void) =>
      createOffsetStore(driver, { onEvent }).delete({ keys: [key] }),
  };

  it.each(Object.entries(verbs))(
    "tries %s three times at most, with an event for each repetition",
    async (verb, call) => {
      const events: OffsetStoreEvent[] = [];
      let attempts = 0;
      const read = async (): Promise<never> => {
        attempts += 1;
        throw new PassingError("away");
      };
      await assert.rejects(
        call(tinyDriver({ read }), (event) => events.push(event)),
        withCode("UNAVAILABLE"),
      );
      assert.equal(attempts, 3);
      assert.deepEqual(
        events.map((event) => event.type === "retry" && [event.type, event.attempt, event.operation]),
        [
          ["retry", 1, verb],
          ["retry", 2, verb],
        ],
      );
    },
  );

  it("does not repeat what cannot pass", async () => {
    let attempts = 0;
    const cause = new Error("no such luck");
    const broken = createOffsetStore(tinyDriver({ read: () => ((attempts += 1), Promise.reject(cause)) }));
    await assert.rejects(broken.fetch([key]), (error: unknown) => {
      assert.ok(error instanceof OffsetStoreError);
      assert.equal(error.cause, cause);
      return error.code === "UNKNOWN";
    });
    assert.equal(attempts, 1);
  });

  it("tries those of a batch alone that failed, and answers those alone as failed (contract 3.1e)", async () => {
    const sizes: number[] = [];
    const driver: TinyDriver = tinyDriver({
      write: async (changes) => {
        sizes.push(changes.length);
        const [first, ...others] = changes;
        if (first?.key !== undefined && "partition" in first.key && first.key.partition === 0) {
          const { changes: answers = [] } = write(driver, others);
          return { writtenAt: 1, changes: [{ status: "failed", error: new PassingError("away") }, ...(answers ?? [])] };
        }
        return write(driver, changes);
      },
    });
    const outcomes = await createOffsetStore(driver).reset(keys(3).map((each) => ({ key: each, nextOffset: 1n })));
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === "failed" ? outcome.error.code : outcome.status)),
      ["UNAVAILABLE", "reset", "reset"],
    );
    assert.deepEqual(sizes, [3, 1, 1]);
  });
});

describe("batches", () => {
  it.each([
    [new PassingError("throttled"), ["reset", "reset", "reset"]],
    [new Error("too large"), ["failed", "reset", "reset"]],
  ])(
    "sends again what an atomic batch skipped for a change that failed: %s (contract 4.2d, 4.5b)",
    async (error, expected) => {
      const sent: string[][] = [];
      const driver: TinyDriver = tinyDriver({
        capabilities: { ...tinyCapabilities, atomicBatch: true },
        write: async (changes) => {
          sent.push(changes.map(({ version }) => version));
          if (sent.length > 1) return write(driver, changes);
          return { changes: changes.map((_, at) => (at === 0 ? { status: "failed", error } : "skipped")) };
        },
      });
      const outcomes = await createOffsetStore(driver).reset(keys(3).map((each) => ({ key: each, nextOffset: 1n })));
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        expected,
      );
      const [first = [], second = []] = sent;
      assert.deepEqual(second.slice(-2), first.slice(1), "what was skipped comes again with another version");
      assert.equal(second.length > 2 && second[0] === first[0], false, "what failed comes again with its version");
    },
  );

  it("keeps what is written when a conflict of the same batch cannot be read any more (contract 3.1e)", async () => {
    let isDown = false;
    const [first = key, second = key] = keys(2);
    const driver: TinyDriver = tinyDriver({
      read: async (asked) => {
        if (isDown) throw new Error("broken");
        return { now: 1_000, entries: asked.map((each) => driver.entries.get(JSON.stringify(each))) };
      },
      write: async (changes) => {
        if (changes.length === 2) {
          isDown = true;
          return { writtenAt: 1_000, changes: ["written", "conflict"] };
        }
        return write(driver, changes);
      },
    });
    const outcomes = await createOffsetStore(driver).claim(
      [first, second].map((each) => ({ ...claimEntry, key: each })),
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["claimed", "failed"],
    );
  });

  it("cuts by maxBatch and keeps the order of the answers", async () => {
    const sizes: number[] = [];
    const driver: TinyDriver = tinyDriver({
      write: async (changes) => {
        sizes.push(changes.length);
        return write(driver, changes);
      },
    });
    const store = createOffsetStore(driver);
    const asked = keys(8).toReversed();
    await store.claim(asked.map((each) => ({ ...claimEntry, key: each })));
    assert.deepEqual(sizes, [3, 3, 2]);
    const outcomes = await store.fetch(asked);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status === "found" && outcome.record.partition),
      asked.map(({ partition }) => partition),
    );
  });

  it("cuts a commit inside a transaction, and the keys of a delete", async () => {
    const sizes: number[] = [];
    const capabilities = { ...tinyCapabilities, transactions: true };
    const driver: TinyDriver<object> = tinyDriver<object>({
      capabilities,
      write: async (changes) => {
        sizes.push(changes.length);
        return write(driver, changes);
      },
    });
    const store = createOffsetStore<object>(driver);
    await store.claim(keys(7).map((each) => ({ ...claimEntry, key: each })));
    const entries = keys(7).map((each) => ({ ...commitEntry, key: each }));
    assert.equal((await store.commit(entries, { transaction: {} })).length, 7);
    assert.deepEqual(await store.delete({ keys: keys(7) }), keys(7));
    assert.deepEqual(await store.delete({ keys: [] }), []);
    assert.deepEqual(sizes, [3, 3, 1, 3, 3, 1, 3, 3, 1]);
  });

  it("refuses a driver's answers where they are not one to each entry, inside a transaction too", async () => {
    const capabilities = { ...tinyCapabilities, transactions: true };
    const store = createOffsetStore<object>(
      tinyDriver<object>({ capabilities, read: async () => ({ now: 1, entries: [undefined] }) }),
    );
    const entries = keys(2).map((each) => ({ ...commitEntry, key: each }));
    await assert.rejects(store.commit(entries), /1 answers for 2 entries/);
    await assert.rejects(store.commit(entries, { transaction: {} }), /1 answers for 2 entries/);
    const short = createOffsetStore(tinyDriver({ write: async () => ({ changes: [] }) }));
    await assert.rejects(short.claim([claimEntry]), withCode("UNKNOWN"));
    await assert.rejects(
      short.delete({ keys: [key] }).then(() => short.reset([resetEntry])),
      withCode("UNKNOWN"),
    );
  });

  it("keeps what was answered when a later batch fails; only a call without any answer rejects (contract 3.1e)", async () => {
    const failsAt = (failing: number) => {
      let calls = 0;
      const driver: TinyDriver = tinyDriver({
        write: async (changes) => {
          calls += 1;
          if (calls === failing) throw new Error("broken");
          return write(driver, changes);
        },
      });
      return createOffsetStore(driver);
    };
    const entries = keys(9).map((each) => ({ key: each, nextOffset: 1n }));
    const outcomes = await failsAt(2).reset(entries);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["reset", "reset", "reset", "failed", "failed", "failed", "reset", "reset", "reset"],
    );
    await assert.rejects(failsAt(1).reset(entries), withCode("UNKNOWN"));
  });

  it("wraps the failure of one entry with its key (contract 3.19c)", async () => {
    const cause = new Error("bad bytes");
    const store = createOffsetStore(
      tinyDriver({ read: async () => ({ now: 1, entries: [undefined, { error: cause }] }) }),
    );
    const [, failed] = await store.fetch(keys(2));
    assert.ok(failed?.status === "failed");
    assert.deepEqual(failed.error.keys, keys(2).slice(1));
    assert.equal(failed.error.cause, cause);
  });
});
