import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { beginRedisTransaction, openRedisStore } from "../src/index.ts";

await describeWithServer("redis", (server) => {
  async function setUp() {
    const namespace = `records-${crypto.randomUUID()}`;
    const client = createClient({ url: server.url });
    client.on("error", () => undefined);
    await client.connect();
    const store = await openRedisStore({ client, namespace });
    onTestFinished(async () => {
      await store.close();
      const keys = await client.keys(`tidemark:{${namespace}*`);
      if (keys.length > 0) await client.del(keys);
      client.destroy();
    });
    return { namespace, client, store };
  }
  const key = { consumer: "c", topic: "t", partition: 0 };

  it("flushes all partitions of a consumer and topic with one command", async () => {
    const { store, namespace } = await setUp();
    const entries = Array.from({ length: 100 }, (_, partition) => ({
      key: { ...key, partition },
      token: "t",
      nextOffset: 1n,
    }));
    await store.claim(entries.map(({ key: each }) => ({ key: each, token: "t", owner: "o" })));
    await store.commit(entries);
    const proxy = await openTcpProxy({ port: Number(new URL(server.url).port), protocol: "resp" });
    const counted = createClient({ url: `redis://127.0.0.1:${proxy.port}` });
    await counted.connect();
    const through = await openRedisStore({ client: counted, namespace });
    proxy.takeRequests();
    await through.commit(entries.map((entry) => ({ ...entry, nextOffset: 2n })));
    expect(proxy.takeRequests().map(({ name }) => name)).toEqual(["EVALSHA"]);
    await through.claim([{ key, token: "t", owner: "o" }]);
    const claim = proxy.takeRequests().map(({ name }) => name);
    expect(claim.slice(0, 2)).toEqual(["EVALSHA", "EVALSHA"]);
    await through.close();
    counted.destroy();
    await proxy.close();
  });

  it("gives memory back with nobody reading", async () => {
    const { store, client, namespace } = await setUp();
    const hash = `tidemark:{${namespace}/c/t}`;
    await store.claim([
      { key, token: "t", owner: "o", ttl: 40 },
      { key: { ...key, partition: 1 }, token: "t", owner: "o", ttl: 80 },
    ]);
    expect(await client.exists(hash)).toBe(1);
    // Redis forgets an expired key within its active cycle; DBSIZE counts it until then.
    await expect.poll(async () => (await client.keys(`${hash}*`)).length, { timeout: 5_000 }).toBe(0);
  });

  it("keeps a hash as long as one of its records, whatever becomes of the others", async () => {
    const { store, client, namespace } = await setUp();
    const hash = `tidemark:{${namespace}/c/t}`;
    const other = { ...key, partition: 1 };
    await store.claim([{ key, token: "t", owner: "o", ttl: 60_000 }]);
    expect(await client.pTTL(hash)).toBeGreaterThan(50_000);
    await store.claim([{ key: other, token: "t", owner: "o" }]);
    expect(await client.pTTL(hash)).toBe(-1);
    await store.commit([{ key, token: "t", nextOffset: 1n }]);
    expect(await client.pTTL(hash)).toBe(-1);
    await store.expire([{ key: other, ttl: 600_000 }]);
    expect(await client.pTTL(hash)).toBeGreaterThan(500_000);
    await store.delete({ keys: [other] });
    expect(await client.pTTL(hash)).toBeLessThan(61_000);
    await store.expire([{ key, ttl: null }]);
    expect(await client.pTTL(hash)).toBe(-1);
  });

  it("leaves what it does not know as it is, and names it (contract 3.3a, 3.20)", async () => {
    const { store, client, namespace } = await setUp();
    const hash = `tidemark:{${namespace}/c/t}`;
    await store.claim([{ key: { ...key, topic: "fine" }, token: "t", owner: "o" }]);
    await client.set(hash, "a string");
    const claim = { key, token: "t", owner: "o" };
    expect(await store.claim([claim])).toMatchObject([
      { status: "failed", error: { code: "CORRUPT_RECORD", message: new RegExp(hash.replaceAll(/[{}/]/gu, ".")) } },
    ]);
    expect(await client.get(hash)).toBe("a string");
    expect(await store.fetch([key])).toMatchObject([{ status: "failed", error: { code: "CORRUPT_RECORD" } }]);
    await expect(Array.fromAsync(store.list())).rejects.toMatchObject({ code: "CORRUPT_RECORD" });
    await expect(store.delete({ consumer: "c" })).rejects.toMatchObject({ code: "CORRUPT_RECORD" });
    expect(await store.delete({ keys: [key] })).toEqual([key]);
    await store.claim([claim]);
    await client.hSet(hash, "0", "2;a record of the future");
    expect(await store.commit([{ key, token: "t", nextOffset: 1n }])).toMatchObject([
      { status: "failed", error: { code: "CORRUPT_RECORD", message: /version 2/u } },
    ]);
    await client.hSet(hash, "not a partition", "somebody's");
    expect(await store.delete({ keys: [key] })).toEqual([key]);
    expect(await Array.fromAsync(store.list())).toEqual([]);
  });

  it("forgets dead entries of the index, and never one that a claim may be about to use", async () => {
    const { store, client, namespace } = await setUp();
    const [names, claimed] = [`tidemark:{${namespace}}`, `tidemark:{${namespace}}:claimed`];
    await store.claim([{ key, token: "t", owner: "o" }]);
    await client.del(`tidemark:{${namespace}/c/t}`);
    // As between a claim's two steps: announced, not written yet.
    expect(await Array.fromAsync(store.list())).toEqual([]);
    expect(await client.zRange(names, 0, -1)).toEqual(["c/t"]);
    await client.hSet(claimed, "c/t", String(Date.now() - 700_000));
    expect(await Array.fromAsync(store.list())).toEqual([]);
    expect(await client.exists([names, claimed])).toBe(0);
    // And as after the loss of the times alone: what is there stays listed.
    await store.claim([{ key, token: "t", owner: "o" }]);
    await client.del(claimed);
    expect(await Array.fromAsync(store.list())).toHaveLength(1);
    expect(await client.zRange(names, 0, -1)).toEqual(["c/t"]);
  });

  it("lists 12,000 records of one group and of many, once each", async () => {
    const { store } = await setUp();
    const many = Array.from({ length: 10_000 }, (_, partition) => ({
      key: { ...key, partition },
      token: "t",
      owner: "o",
    }));
    const groups = Array.from({ length: 2_000 }, (_, each) => ({
      key: { ...key, consumer: `c${each}` },
      token: "t",
      owner: "o",
    }));
    await store.claim([...many, ...groups]);
    const seen = new Set<string>();
    let count = 0;
    for await (const { consumer, partition } of store.list()) {
      seen.add(`${consumer} ${partition}`);
      count += 1;
    }
    expect([count, seen.size]).toEqual([12_000, 12_000]);
    expect(await store.delete({ topic: "t" })).toHaveLength(12_000);
  });

  it("carries out a transaction whole, or not at all when the record changed", async () => {
    const { store, client, namespace } = await setUp();
    const work = `tidemark:{${namespace}}work`;
    const connection = client.duplicate();
    connection.on("error", () => undefined);
    await connection.connect();
    await store.claim([{ key, token: "t", owner: "o" }]);
    const first = beginRedisTransaction(connection);
    first.multi.incr(work);
    await store.commit([{ key, token: "t", nextOffset: 5n }], { transaction: first });
    await store.commit([{ key, token: "t", nextOffset: 6n }], { transaction: first });
    const back = store.commit([{ key, token: "t", nextOffset: 4n }], { transaction: first });
    await expect(back).rejects.toMatchObject({ code: "CONFLICT" });
    await first.commit();
    expect([await client.get(work), await store.fetch([key])]).toMatchObject(["1", [{ record: { nextOffset: 6n } }]]);
    const second = beginRedisTransaction(connection);
    second.multi.incr(work);
    await store.commit([{ key, token: "t", nextOffset: 7n }], { transaction: second });
    await store.claim([{ key, token: "newer", owner: "o" }]);
    await expect(second.commit()).rejects.toMatchObject({ code: "CONFLICT", retryable: true });
    await expect(second.commit()).rejects.toThrow(/is over/u);
    expect([await client.get(work), await store.fetch([key])]).toMatchObject(["1", [{ record: { nextOffset: 6n } }]]);
    connection.destroy();
  });
});
