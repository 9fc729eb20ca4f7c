import assert from "node:assert/strict";
import { createOffsetStore } from "@tidemark/core/driver";
import { afterEach, beforeEach, it, vi } from "vitest";
import { type TinyDriver, tinyDriver } from "./tiny-driver.ts";

const key = { consumer: "c", topic: "t", partition: 0 };
const token = "t1";
const TTL_MS = 1_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A store that has written a record with a time to live, and the calls of its driver since then. */
async function holder(): Promise<{
  driver: TinyDriver;
  calls: string[];
  commit: (nextOffset: bigint) => Promise<unknown>;
}> {
  const calls: string[] = [];
  const driver = tinyDriver();
  const { read, write } = driver;
  driver.read = (...asked) => (calls.push("read"), read(...asked));
  driver.write = (...asked) => (calls.push("write"), write(...asked));
  const store = createOffsetStore(driver);
  await store.claim([{ key, token, owner: "o", ttl: TTL_MS }]);
  calls.length = 0;
  return {
    driver,
    calls,
    commit: async (nextOffset) => (await store.commit([{ key, token, nextOffset }]))[0],
  };
}

it("a commit in the first half of the time to live is one write", async () => {
  const { driver, calls, commit } = await holder();
  driver.now += 480;
  vi.advanceTimersByTime(480);
  assert.deepEqual(await commit(1n), { status: "committed", ttl: TTL_MS });
  assert.deepEqual(calls, ["write"]);
});

it("a commit in the second half reads first", async () => {
  const { driver, calls, commit } = await holder();
  driver.now += 600;
  vi.advanceTimersByTime(600);
  assert.deepEqual(await commit(1n), { status: "committed", ttl: TTL_MS });
  assert.deepEqual(calls, ["read", "write"]);
});

it("a holder whose wall clock is set back does not take the record for younger (contract 3.5b)", async () => {
  const { driver, calls, commit } = await holder();
  const wall = Date.now();
  driver.now += TTL_MS;
  vi.advanceTimersByTime(TTL_MS);
  vi.setSystemTime(wall);
  assert.deepEqual(await commit(1n), { status: "fenced", reason: "absent" });
  assert.deepEqual(calls, ["read"]);
});

it("a holder whose clock is behind the store's writes no record that is gone to others (contract 3.5b)", async () => {
  const { driver, calls, commit } = await holder();
  // The store rounds its times down, or was set forward.
  driver.now += TTL_MS;
  vi.advanceTimersByTime(TTL_MS - 1);
  assert.deepEqual(await commit(1n), { status: "fenced", reason: "absent" });
  assert.deepEqual(calls, ["read"]);
});
