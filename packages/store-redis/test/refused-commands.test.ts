import type { OffsetStore } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { isDeepStrictEqual } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const key = { consumer: "c", topic: "t", partition: 0 };
const second = { ...key, partition: 1 };
const third = { ...key, partition: 2 };

/** What a store does to records, each on a position that has a holder. */
const CALLS: readonly (readonly [string, (store: OffsetStore) => Promise<readonly object[]>])[] = [
  ["a claim", (store) => store.claim([{ key, token: "other", owner: "other" }])],
  ["a first claim", (store) => store.claim([{ key: third, token: "t", owner: "o" }])],
  ["a claim that is to expire", (store) => store.claim([{ key, token: "other", owner: "other", ttl: 60_000 }])],
  [
    "a first claim of a topic that is to expire",
    (store) => store.claim([{ key: { ...key, topic: "new" }, token: "t", owner: "o", ttl: 60_000 }]),
  ],
  ["a claim that is to stay", (store) => store.claim([{ key, token: "other", owner: "other", ttl: null }])],
  ["a commit", (store) => store.commit([{ key, token: "t", nextOffset: 2n }])],
  ["a commit that is to expire", (store) => store.commit([{ key, token: "t", nextOffset: 2n, ttl: 60_000 }])],
  [
    "commits that are to expire",
    (store) => store.commit([key, second].map((each) => ({ key: each, token: "t", nextOffset: 2n, ttl: 60_000 }))),
  ],
  ["a deletion", (store) => store.delete({ keys: [key] })],
];

await describeWithServer("redis", (server) => {
  async function setUp() {
    const namespace = `refused-${crypto.randomUUID()}`;
    const admin = await createClient({ url: server.url }).connect();
    const user = `user-${crypto.randomUUID()}`;
    await admin.sendCommand(["ACL", "SETUSER", user, "on", ">s3cret", "~*", "+@all"]);
    const url = new URL(server.url);
    [url.username, url.password] = [user, "s3cret"];
    const store = await openRedisStore({ url: url.href, namespace, onEvent: () => undefined });
    const index = `tidemark:{${namespace}}`;
    onTestFinished(async () => {
      await store.close();
      await admin.sendCommand(["ACL", "DELUSER", user]);
      const keys = await admin.keys(`${index}*`);
      if (keys.length > 0) await admin.del(keys);
      admin.destroy();
    });
    await store.claim([key, second].map((each) => ({ key: each, token: "t", owner: "o" })));
    await store.commit([key, second].map((each) => ({ key: each, token: "t", nextOffset: 1n })));
    const records = async () => {
      const hashes = (await admin.keys(`${index}:*`)).toSorted();
      return Promise.all(
        hashes.map(async (hash) => ({
          hash,
          fields: await admin.hGetAll(hash),
          expires: (await admin.pTTL(hash)) >= 0,
        })),
      );
    };
    return { store, admin, user, index, records };
  }

  /** Whether a call was carried out. What it says must be true of the records: all is written, or nothing. */
  async function isCarriedOut(
    { store, records }: Awaited<ReturnType<typeof setUp>>,
    [what, call]: (typeof CALLS)[number],
  ): Promise<boolean> {
    const before = await records();
    const answer = await call(store).catch((error: unknown) => [{ status: "failed", error }]);
    const failures = answer.filter((one) => typeof one === "object" && "status" in one && one.status === "failed");
    const isWritten = !isDeepStrictEqual(await records(), before);
    expect([what, isWritten]).toEqual([what, failures.length === 0]);
    for (const failure of failures) expect(failure).toMatchObject({ error: { retryable: false } });
    return isWritten;
  }

  it.each([
    ["zadd", 5],
    ["zrem", 1],
    ["zlexcount", 5],
    ["hlen", 7],
    ["hset", 8],
    ["hdel", 1],
    ["pexpire", 4],
    ["pttl", 4],
    ["persist", 1],
  ])("what fails because %s is forbidden has written nothing (contract 4.2e)", async (command, failures) => {
    let failed = 0;
    for (const each of CALLS) {
      const set = await setUp();
      await set.admin.sendCommand(["ACL", "SETUSER", set.user, `-${command}`]);
      if (!(await isCarriedOut(set, each))) failed += 1;
    }
    expect(failed).toBe(failures);
  });

  it("what fails because the index is no sorted set has written nothing (contract 4.2e)", async () => {
    let failed = 0;
    for (const each of CALLS) {
      const set = await setUp();
      await set.admin.set(set.index, "a string");
      if (!(await isCarriedOut(set, each))) failed += 1;
    }
    // Commits do without the index.
    expect(failed).toBe(6);
  });
});
