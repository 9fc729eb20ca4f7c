import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const FIELDS = 20_000;
const token = "t";
const owner = "o";

await describeWithServer("redis", (server) => {
  async function setUp() {
    const namespace = `large-${crypto.randomUUID()}`;
    const store = await openRedisStore({ url: server.url, namespace });
    onTestFinished(async () => {
      await store.delete({ topic: "t" });
      await store.close();
    });
    return { namespace, store };
  }
  const keyOf = (partition: number) => ({ consumer: "c", topic: "t", partition });

  it("tells each record once while its hash grows and shrinks under the listing", { timeout: 60_000 }, async () => {
    const { store } = await setUp();
    const claims = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, each) => ({ key: keyOf(from + each), token, owner }));
    await store.claim(claims(0, FIELDS));
    const times = new Map<number, number>();
    let added = FIELDS;
    for await (const { partition } of store.list()) {
      const count = (times.get(partition) ?? 0) + 1;
      times.set(partition, count);
      // The table doubles twice, and others go: each page is read from another table.
      if (times.size % 900 === 0 && added < FIELDS * 4) {
        await store.claim(claims(added, added + 4_000));
        await store.delete({ keys: claims(added, added + 1_000).map(({ key }) => key) });
        added += 4_000;
      }
    }
    expect(added).toBeGreaterThan(FIELDS * 3);
    expect([...times.values()].filter((count) => count !== 1)).toEqual([]);
    for (let partition = 0; partition < FIELDS; partition += 1) expect(times.has(partition)).toBe(true);
  });

  it("keeps a large hash for as long as its last record, and no longer", { timeout: 60_000 }, async () => {
    const { store, namespace } = await setUp();
    const admin = await createClient({ url: server.url }).connect();
    onTestFinished(() => admin.destroy());
    const hash = `tidemark:{${namespace}/c/t}`;
    const claims = Array.from({ length: 2_000 }, (_, partition) => ({ key: keyOf(partition), token, owner }));
    await store.claim(claims.map((claim) => ({ ...claim, ttl: 600_000 })));
    expect(await admin.pTTL(hash)).toBeGreaterThan(590_000);
    // One lasts for ever, and with it the hash.
    await store.expire([{ key: keyOf(7), ttl: null }]);
    expect(await admin.pTTL(hash)).toBe(-1);
    // The others renew, and shorten: none of that may set an expiry on the hash.
    await store.commit(claims.map(({ key }) => ({ key, token, nextOffset: 1n })));
    await store.expire(claims.filter(({ key }) => key.partition !== 7).map(({ key }) => ({ key, ttl: 50_000 })));
    expect(await admin.pTTL(hash)).toBe(-1);
    await store.delete({ keys: [keyOf(8)] });
    expect(await admin.pTTL(hash)).toBe(-1);
    // When the last of that kind is gone, the hash may go with the others.
    await store.delete({ keys: [keyOf(7)] });
    const left = await admin.pTTL(hash);
    expect(left).toBeGreaterThan(40_000);
    expect(left).toBeLessThanOrEqual(600_000);
    await store.reset([{ key: keyOf(9), nextOffset: 2n, ttl: 1_200_000 }]);
    expect(await admin.pTTL(hash)).toBeGreaterThan(1_100_000);
  });
});
