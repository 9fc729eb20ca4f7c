import assert from "node:assert/strict";
import { createOffsetStore, type WriteAnswer } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { PassingError, type TinyDriver, tinyDriver, write } from "./tiny-driver.ts";

const key = { consumer: "c", topic: "t", partition: 0 };

/** A driver that tells each call, and of which the next writes go as a test says. */
function scripted(): { driver: TinyDriver; calls: string[]; fates: ("lost" | "dropped" | (() => void))[] } {
  const calls: string[] = [];
  const fates: ("lost" | "dropped" | (() => void))[] = [];
  const driver: TinyDriver = tinyDriver({
    read: async (asked) => {
      calls.push("read");
      return { now: driver.now, entries: asked.map((each) => driver.entries.get(JSON.stringify(each))) };
    },
    write: async (changes): Promise<WriteAnswer> => {
      calls.push("write");
      const fate = fates.shift();
      if (fate === undefined) return write(driver, changes);
      if (fate !== "dropped") write(driver, changes);
      if (typeof fate === "function") fate();
      throw new PassingError("the connection was reset");
    },
  });
  return { driver, calls, fates };
}

describe("a write whose answer was lost", () => {
  it("is recognised by its version, for every verb (contract 3.4b)", async () => {
    const { driver, fates } = scripted();
    const store = createOffsetStore(driver);
    fates.push("lost");
    const [claimed] = await store.claim([{ key, token: "t1", owner: "o" }]);
    assert.ok(claimed?.status === "claimed");
    assert.equal(claimed.record, undefined, "the claim found its own record");
    const { epoch } = claimed;
    fates.push("lost");
    assert.deepEqual(await store.commit([{ key, token: "t1", epoch, nextOffset: 9n }]), [{ status: "committed" }]);
    fates.push("lost");
    const [rewound] = await store.commit([{ key, token: "t1", epoch, nextOffset: 3n, rewind: true }]);
    assert.deepEqual(rewound, { status: "committed", epoch: epoch + 1 });
    fates.push("lost");
    assert.deepEqual(await store.expire([{ key, ttl: 60_000 }]), [{ status: "set" }]);
    fates.push("lost");
    assert.deepEqual(await store.reset([{ key, nextOffset: 5n }]), [{ status: "reset" }]);
    fates.push("lost");
    assert.deepEqual(await store.delete({ keys: [key] }), [key]);
  });

  it("is written again where it did not arrive", async () => {
    const { driver, fates } = scripted();
    const store = createOffsetStore(driver);
    fates.push("dropped", "dropped");
    assert.equal((await store.claim([{ key, token: "t1", owner: "o" }]))[0]?.status, "claimed");
    fates.push("dropped");
    assert.deepEqual(await store.commit([{ key, token: "t1", nextOffset: 9n }]), [{ status: "committed" }]);
    fates.push("dropped");
    assert.deepEqual(await store.reset([{ key, nextOffset: 5n }]), [{ status: "reset" }]);
    fates.push("dropped");
    assert.deepEqual(await store.delete({ keys: [key] }), [key]);
  });

  it("is looked for by a read that says what it decides, and no other read says so (contract 4.1a)", async () => {
    const { driver, fates } = scripted();
    const reads: (boolean | undefined)[] = [];
    const store = createOffsetStore({
      ...driver,
      read: (keys, context) => {
        reads.push(context.confirmed);
        return driver.read(keys, context);
      },
    });
    const verbs = [
      () => store.claim([{ key, token: "t1", owner: "o" }]),
      () => store.expire([{ key, ttl: null }]),
      () => store.reset([{ key, nextOffset: 5n }]),
      () => store.group({ consumer: "c", topic: "g", partitions: 1 }),
      () => store.delete({ keys: [key] }),
    ];
    for (const call of verbs) {
      for (const fate of ["lost", "dropped"] as const) {
        fates.push(fate);
        reads.length = 0;
        await call();
        assert.deepEqual(fates, [], "the call wrote nothing");
        assert.deepEqual([reads[0], ...new Set(reads.slice(1))], [false, true]);
        await store.delete({ consumer: "c", topic: "g" });
        await store.reset([{ key, nextOffset: 5n }]);
      }
    }
  });

  it("asks for what is confirmed only after a write: a read that failed proves nothing (contract 4.1a)", async () => {
    const reads: unknown[] = [];
    const driver = tinyDriver();
    const store = createOffsetStore({
      ...driver,
      read: async (keys, context) => {
        reads.push(context.confirmed);
        if (reads.length === 1) throw new PassingError("away");
        return driver.read(keys, context);
      },
    });
    await store.fetch([key]);
    assert.deepEqual(reads, [false, false]);
  });

  it("of a reset is not decided again on what somebody has written since", async () => {
    const { driver, fates } = scripted();
    const store = createOffsetStore(driver);
    const other = createOffsetStore({ ...tinyDriver(), ...driver, write: async (changes) => write(driver, changes) });
    await store.reset([{ key, nextOffset: 1n }]);
    for (const fate of ["lost", "dropped"] as const) {
      const answered = Promise.withResolvers<unknown>();
      fates.push(() => answered.resolve(other.claim([{ key, token: "t2", owner: "other" }])));
      if (fate === "dropped") fates.unshift("dropped");
      const [outcome] = await store.reset([{ key, nextOffset: 5n }]);
      await answered.promise;
      assert.equal(outcome?.status, "failed");
      const [found] = await store.fetch([key]);
      assert.equal(found?.status === "found" && found.record.owner, "other", "the new holder was fenced");
    }
  });

  it("is read before the next commit: what the store remembers is not trusted", async () => {
    const { driver, calls, fates } = scripted();
    const store = createOffsetStore(driver);
    await store.claim([{ key, token: "t1", owner: "o" }]);
    await store.commit([{ key, token: "t1", nextOffset: 1n }]);
    fates.push("lost", "lost", "lost");
    await store.commit([{ key, token: "t1", nextOffset: 2n }]).catch(() => undefined);
    calls.length = 0;
    assert.deepEqual(await store.commit([{ key, token: "t1", nextOffset: 1n }]).then(([one]) => one?.status), "behind");
    assert.deepEqual(calls, ["read"]);
  });
});

describe("what a store remembers of its claims", () => {
  it("makes a commit one write, and a refusal is read all the same", async () => {
    const { driver, calls } = scripted();
    const store = createOffsetStore(driver);
    await store.claim([{ key, token: "t1", owner: "o" }]);
    assert.deepEqual(calls.splice(0), ["read", "write"]);
    await store.commit([{ key, token: "t1", nextOffset: 1n }]);
    await store.commit([{ key, token: "t1", nextOffset: 2n }]);
    assert.deepEqual(calls.splice(0), ["write", "write"]);
    const [behind] = await store.commit([{ key, token: "t1", nextOffset: 1n }]);
    assert.equal(behind?.status, "behind");
    const [foreign] = await store.commit([{ key, token: "t2", nextOffset: 3n }]);
    assert.equal(foreign?.status, "fenced");
    assert.deepEqual(calls.splice(0), ["read", "read"]);
  });

  it("leaves to one read all that it does not know", async () => {
    const { driver, calls } = scripted();
    const { write: timed } = driver;
    driver.write = async (changes, context) => {
      const { writtenAt, changes: answers } = await timed(changes, context);
      return { writtenAt: context.timed === true ? writtenAt : undefined, changes: answers };
    };
    const store = createOffsetStore(driver);
    const all = [key, { ...key, partition: 1 }, { ...key, partition: 2 }];
    await store.claim(all.map((each) => ({ key: each, token: "t1", owner: "o" })));
    await store.commit(all.map((each) => ({ key: each, token: "t1", nextOffset: 5n })));
    calls.length = 0;
    // A renewal carries along when the position was committed, which nobody has told.
    await store.commit(all.map((each) => ({ key: each, token: "t1" })));
    assert.deepEqual(calls.splice(0), ["read", "write"]);
    await store.commit(all.map((each) => ({ key: each, token: "t1" })));
    assert.deepEqual(calls.splice(0), ["write"]);
    const answers = await store.commit(all.map((each) => ({ key: each, token: "t1", nextOffset: 4n })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      ["behind", "behind", "behind"],
    );
    assert.deepEqual(calls, ["read"]);
  });

  it("gives way to what another has written", async () => {
    const { driver, calls } = scripted();
    const store = createOffsetStore(driver);
    await store.claim([{ key, token: "t1", owner: "o" }]);
    const other = createOffsetStore({ ...tinyDriver(), ...driver });
    await other.claim([{ key, token: "t2", owner: "other" }]);
    calls.length = 0;
    assert.deepEqual(await store.commit([{ key, token: "t1", nextOffset: 1n }]), [
      { status: "fenced", reason: "superseded", owner: "other" },
    ]);
    assert.deepEqual(calls, ["write", "read"]);
  });

  it("is not trusted for longer than a record lives, by either clock (contract 3.5b)", async () => {
    const { driver, calls } = scripted();
    const store = createOffsetStore(driver);
    await store.claim([{ key, token: "t1", owner: "o", ttl: 60_000 }]);
    await store.commit([{ key, token: "t1", nextOffset: 1n }]);
    calls.length = 0;
    const wall = Date.now;
    try {
      Date.now = () => wall() + 60_000;
      await store.commit([{ key, token: "t1", nextOffset: 2n }]);
    } finally {
      Date.now = wall;
    }
    assert.deepEqual(calls, ["read", "write"]);
  });

  it("is forgotten where damage is found, and by a transaction of the caller's", async () => {
    const { driver, calls } = scripted();
    const store = createOffsetStore<never>({ ...driver, capabilities: { ...driver.capabilities, transactions: true } });
    await store.claim([{ key, token: "t1", owner: "o" }]);
    const name = JSON.stringify(key);
    const stored = driver.entries.get(name);
    assert.ok(stored);
    driver.entries.set(name, { ...stored, value: "{" });
    assert.equal((await store.fetch([key]))[0]?.status, "failed");
    const [damaged] = await store.commit([{ key, token: "t1", nextOffset: 1n }]);
    assert.equal(damaged?.status === "failed" && damaged.error.code, "CORRUPT_RECORD");
    driver.entries.set(name, stored);
    await store.commit([{ key, token: "t1", nextOffset: 1n }]);
    await store.commit([{ key, token: "t1", nextOffset: 2n }], { transaction: {} as never });
    calls.length = 0;
    await store.commit([{ key, token: "t1", nextOffset: 3n }]);
    assert.deepEqual(calls, ["read", "write"]);
  });
});

describe("a record that is written where none was", () => {
  it("counts only if it was written in time (contract 3.22)", async () => {
    const { driver } = scripted();
    const late: (() => void)[] = [];
    const store = createOffsetStore(
      {
        ...driver,
        write: async (changes) => {
          late.push(() => write(driver, changes));
          throw new Error("given up");
        },
      },
      { timeout: 1_000 },
    );
    const reader = createOffsetStore(driver);
    await assert.rejects(store.claim([{ key, token: "t1", owner: "o" }]));
    driver.now += 1_999;
    late[0]?.();
    assert.equal((await reader.fetch([key]))[0]?.status, "found", "a create in time counts");
    driver.entries.clear();
    driver.now += 1;
    await assert.rejects(store.claim([{ key, token: "t1", owner: "o" }]));
    driver.now += 2_000;
    late[1]?.();
    assert.equal((await reader.fetch([key]))[0]?.status, "absent", "a late create came to be");
    assert.deepEqual(await Array.fromAsync(reader.list()), []);
    const [claimed] = await reader.claim([{ key, token: "t2", owner: "o2" }]);
    assert.equal(claimed?.status === "claimed" && claimed.record, undefined);
    assert.deepEqual(await reader.commit([{ key, token: "t2", nextOffset: 1n }]), [{ status: "committed" }]);
    driver.now += 1_000_000;
    await reader.commit([{ key, token: "t2", nextOffset: 2n }]);
    assert.equal((await reader.fetch([key]))[0]?.status, "found", "the limit was carried along");
  });
});
