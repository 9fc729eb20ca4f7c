import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { ClaimEntry, MemberEntry, OffsetStore } from "@tidemark/core";
import { createOffsetStore, type OffsetStoreDriver } from "@tidemark/core/driver";
import { describe, it } from "vitest";
import { Connection, nameOf, type Row, SoundBackend, type SoundTransaction } from "../conformance/sound-backend.ts";
import { SoundDriver } from "../conformance/sound-driver.ts";
import { tinyDriver } from "./tiny-driver.ts";

const CONFLICT = new Error("a conflict");
const REFUSAL = new Error("no rights");
const GROUP = { consumer: "c1", topic: "orders" };
const KEY = { ...GROUP, partition: 0 };
const HOLDER = { ...GROUP, member: "holder" };

/** A store whose backend can be taken away, what it was asked, and a second store on the same backend. */
function open(over: (driver: SoundDriver) => Partial<OffsetStoreDriver<never>> = () => ({})) {
  const rows = new SoundBackend().rows("n");
  const capabilities = { durability: "none", transactions: false } as const;
  const connection = new Connection();
  const driver = new SoundDriver({ rows, connection, capabilities });
  const calls: string[] = [];
  const seen = new Proxy(driver, {
    get(target, name) {
      const replaced = Reflect.get(over(driver), name) as unknown;
      const member: unknown = replaced ?? Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        if (typeof name === "string" && ["read", "write", "list"].includes(name)) calls.push(name);
        return (member as (...given: unknown[]) => unknown).apply(target, given);
      };
    },
  });
  const store = createOffsetStore(seen as unknown as OffsetStoreDriver, { timeout: 500 });
  const other = createOffsetStore(new SoundDriver({ rows, connection: new Connection(), capabilities }));
  return { store, other, rows, connection, calls };
}

function beat(store: OffsetStore<never>, more: Partial<MemberEntry> = {}): Promise<void> {
  return store.heartbeat({ key: HOLDER, mode: "balanced", lease: 1, owner: "owner", held: 0, ...more });
}

function idle(more: Partial<ClaimEntry> = {}): ClaimEntry {
  return { key: KEY, token: randomBytes(16).toString("hex"), owner: "claimer", ifIdleFor: 1, ...more };
}

async function statusOf(store: OffsetStore<never>, more?: Partial<ClaimEntry>): Promise<string | undefined> {
  return (await store.claim([idle(more)]))[0]?.status;
}

describe("members", () => {
  it("looks at a holder anew after a failure of the looker's store (contract 8.2)", async () => {
    const { store, other, connection } = open();
    await beat(other, { lease: 30 });
    await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    await delay(40);
    assert.equal(await statusOf(store), "held", "the first look");
    await delay(20);
    const restore = connection.break("cut");
    await assert.rejects(store.fetch([KEY]), { code: "UNAVAILABLE" });
    await restore();
    assert.equal(await statusOf(store), "held", "what was seen before an outage must not count after it");
    await delay(20);
    assert.equal(await statusOf(store), "claimed");
  });

  it("looks on after a refusal, as of another consumer on the same store (contract 8.2)", async () => {
    let isRefused = false;
    const { store, other } = open((driver) => ({
      write: async (changes, context) => {
        if (isRefused) throw REFUSAL;
        return driver.write(changes, context);
      },
      classify: (error) =>
        error === REFUSAL
          ? { code: "PERMISSION_DENIED", retryable: false, message: "no rights" }
          : driver.classify(error),
    }));
    await beat(other, { lease: 30 });
    await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    await delay(40);
    assert.equal(await statusOf(store), "held", "the first look");
    await delay(20);
    isRefused = true;
    await assert.rejects(beat(store, { key: { ...GROUP, member: "looker" } }), { code: "PERMISSION_DENIED" });
    isRefused = false;
    assert.equal(await statusOf(store), "claimed");
  });

  it("finds a holder silent whose times have parts of a millisecond (contract 8.3)", async () => {
    const fractional = (record: Row): Row => ({ ...record, writtenAt: record.writtenAt + 0.25 });
    const { store, other, rows } = open();
    await beat(other, { lease: 30 });
    await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    rows.set(nameOf(KEY), fractional(rows.get(nameOf(KEY)) as Row));
    await delay(40);
    assert.equal(await statusOf(store), "held", "the first look");
    await delay(20);
    assert.equal(await statusOf(store), "claimed");
  });

  it("looks on after a conflict: a store that answers was not away (contract 8.2)", async () => {
    const rows = new SoundBackend().rows("n");
    const sound = new SoundDriver({ rows, connection: new Connection(), capabilities: { transactions: true } });
    let conflicts = 0;
    const store = createOffsetStore<SoundTransaction>({
      ...{ name: sound.name, capabilities: sound.capabilities, close: () => sound.close() },
      read: (...call) => sound.read(...call),
      write: (...call) => sound.write(...call),
      list: (filter) => sound.list(filter),
      classify: (error) =>
        error === CONFLICT
          ? { code: "CONFLICT", retryable: true, message: "another transaction came first" }
          : sound.classify(error),
      begin: async () => {
        conflicts += 1;
        if (conflicts === 1) throw CONFLICT;
        const own = await sound.begin?.();
        if (own === undefined) throw new Error("no transactions");
        return own;
      },
    });
    const own = { consumer: "c1", topic: "orders", partition: 1 };
    await store.claim([{ key: own, token: "own", owner: "o" }]);
    await store.heartbeat({ key: HOLDER, mode: "balanced", lease: 30, owner: "owner", held: 0 });
    await store.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    await delay(40);
    assert.equal((await store.claim([idle()]))[0]?.status, "held", "the first look");
    await delay(20);
    const entry = { key: own, token: "own", from: 0n, nextOffset: 1n };
    assert.equal((await store.transact?.(entry, () => undefined))?.status, "committed");
    assert.equal(conflicts, 2);
    assert.equal((await store.claim([idle()]))[0]?.status, "claimed");
  });

  it("asks for the holders once, however many keys they hold, and not where all keys are free (contract 8.3)", async () => {
    const { store, other, calls } = open();
    const keys = Array.from({ length: 50 }, (_, partition) => ({ ...GROUP, partition }));
    await store.claim(keys.slice(0, 25).map((key) => idle({ key })));
    assert.deepEqual(calls, ["read", "write"]);
    await beat(other, { lease: 60_000 });
    await other.claim(keys.map((key) => ({ key, token: "t", owner: "o", member: "holder" })));
    calls.length = 0;
    const outcomes = await store.claim(keys.map((key) => idle({ key })));
    assert.ok(outcomes.every(({ status }) => status === "held"));
    assert.deepEqual(calls, ["read", "read"]);
  });

  it("takes a holder whose member record cannot be had for living (contract 8.2)", async () => {
    let reads = 0;
    const { store, other } = open((driver) => ({
      read: (keys, context) => {
        reads += 1;
        if (reads % 2 === 0) throw new Error("the second read of each claim fails");
        return driver.read(keys, context);
      },
    }));
    await beat(other);
    await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    await delay(5);
    for (let look = 0; look < 3; look += 1) assert.equal(await statusOf(store), "held");
  });

  it("judges a holder whose member record is damaged by the position's record (contract 8.2)", async () => {
    const { store, other, rows } = open();
    await beat(other, { lease: 60_000 });
    await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    const name = nameOf(HOLDER);
    rows.set(name, { ...(rows.get(name) as Row), value: "damaged" });
    assert.equal(await statusOf(store, { ifIdleFor: 60_000 }), "held");
    await delay(5);
    assert.equal(await statusOf(store), "held", "the first look");
    await delay(5);
    assert.equal(await statusOf(store), "claimed", "a damaged member record kept its key for ever");
  });

  it.skipIf(process.platform !== "linux")(
    "takes a key at once whose holder's process was killed (contract 8.2)",
    async () => {
      const { store, other } = open();
      const child = spawn(process.execPath, ["--eval", "setInterval(() => undefined, 1000)"]);
      const exited = once(child, "exit");
      await once(child, "spawn");
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      const identity = {
        bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
        pidNamespace: readlinkSync("/proc/self/ns/pid"),
        pid: child.pid ?? 0,
        startTime: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "",
      };
      await beat(other, { lease: 60_000, process: identity });
      await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
      assert.equal(await statusOf(store), "held", "a holder was robbed whose process runs");
      child.kill("SIGKILL");
      await exited;
      assert.equal(await statusOf(store), "claimed");
    },
  );

  it("takes nothing from a holder that writes while it is found silent (contract 8.3)", async () => {
    let meanwhile: (() => Promise<unknown>) | undefined;
    const { store, other } = open((driver) => ({
      read: async (keys, context) => {
        const answer = await driver.read(keys, context);
        const [key] = keys;
        if (key !== undefined && "member" in key) await meanwhile?.();
        return answer;
      },
    }));
    await beat(other, { lease: 30 });
    await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    await delay(40);
    assert.equal(await statusOf(store), "held", "the first look");
    await delay(20);
    meanwhile = () => other.commit([{ key: KEY, token: "t", nextOffset: 5n }]);
    assert.equal(await statusOf(store), "held", "it has written since");
    assert.deepEqual(await other.commit([{ key: KEY, token: "t", nextOffset: 6n }]), [{ status: "committed" }]);
    meanwhile = undefined;
    assert.equal(await statusOf(store), "claimed");
  });

  it("rejects a claim that is given up while it looks at holders, with the caller's reason (contract 3.9b)", async () => {
    const controller = new AbortController();
    let reads = 0;
    const { store, other } = open((driver) => ({
      read: (keys, context) => {
        reads += 1;
        if (reads === 1) return driver.read(keys, context);
        controller.abort(new Error("enough"));
        return new Promise(() => undefined);
      },
    }));
    await beat(other);
    await other.claim([{ key: KEY, token: "t", owner: "o", member: "holder" }]);
    await assert.rejects(store.claim([idle()], { signal: controller.signal }), /enough/);
  });

  it("writes a heartbeat again, and a leave, where a driver could not because of a lock (contract 4.2b, 8.1)", async () => {
    let locked = 0;
    const { store, other } = open((driver) => ({
      write: async (changes, context) => {
        locked -= 1;
        return locked < 0 ? driver.write(changes, context) : { changes: changes.map(() => "conflict" as const) };
      },
    }));
    const held = async () => (await Array.fromAsync(other.members(GROUP))).map((member) => member.held);
    locked = 3;
    await beat(store, { lease: 60_000, held: 7 });
    assert.deepEqual(await held(), [7]);
    locked = 3;
    await store.leave(HOLDER);
    assert.deepEqual(await held(), []);
  });

  it("ends in time where nothing is answered, and names the member (contract 3.9a)", async () => {
    const { store, connection } = open();
    const restore = connection.break("silent");
    await assert.rejects(beat(store), (error: Error & { code?: string }) => {
      assert.equal(error.code, "TIMEOUT");
      assert.match(error.message, /heartbeat for consumer "c1" on topic "orders" member "holder" failed/);
      return true;
    });
    await restore();
  });

  it("gives what it remembers of a group to nobody after its TTL (contract 8.4)", async () => {
    const { store } = open();
    assert.deepEqual(await store.group({ ...GROUP, partitions: 3, ttl: 3_000 }), { partitions: 3 });
    assert.deepEqual(await store.group({ ...GROUP, partitions: 4 }), { partitions: 3 });
    await delay(3_100);
    assert.deepEqual(await store.group({ ...GROUP, partitions: 5 }), { partitions: 5 });
  });

  it("lets every call begin the TTL of a group again, with the stored one where none is given (contract 8.4)", async () => {
    const driver = tinyDriver();
    const store = createOffsetStore(driver);
    const group = (partitions: number, ttl?: number | null) => store.group({ ...GROUP, partitions, ttl });
    assert.deepEqual(await group(3, 1_000), { partitions: 3 });
    for (let call = 0; call < 3; call += 1) {
      driver.now += 900;
      assert.deepEqual(await group(9), { partitions: 3 }, "a call without a TTL did not begin it again");
    }
    driver.now += 1_000;
    assert.deepEqual(await group(4, 1_000), { partitions: 4 }, "a group outlived the TTL that it had");
    assert.deepEqual(await group(9, null), { partitions: 4 });
    driver.now += 1_000_000;
    assert.deepEqual(await group(9), { partitions: 4 }, "a group without a TTL expired");
  });

  it("refuses wrong input before it asks anything (contract 8.1)", async () => {
    const { store, calls } = open();
    const wrong: readonly (() => unknown)[] = [
      () => beat(store, { lease: 0 }),
      () => beat(store, { lease: 1.5 }),
      () => beat(store, { mode: "both" as never }),
      () => beat(store, { held: -1 }),
      () => beat(store, { owner: "" }),
      () => beat(store, { key: { ...GROUP, member: "" } }),
      () => beat(store, { process: { pid: 1 } as never }),
      () => beat(store, { leas: 5 } as never),
      () => store.leave({ ...GROUP } as never),
      () => store.group({ ...GROUP, partitions: -1 }),
      () => store.group({ ...GROUP, partitions: 1, ttl: 0 }),
      () => store.claim([idle({ ifIdleFor: 0 })]),
      () => store.claim([idle({ ifIdle: true } as never)]),
    ];
    for (const call of wrong) {
      await assert.rejects(
        async () => call(),
        (error) => error instanceof TypeError || error instanceof RangeError,
      );
    }
    assert.throws(() => store.members({ member: "m" } as never), TypeError);
    assert.deepEqual(calls, []);
    await store.close();
    await assert.rejects(beat(store), { code: "CLOSED" });
  });
});
