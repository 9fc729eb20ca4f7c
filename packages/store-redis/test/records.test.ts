import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished, vi } from "vitest";
import { openRedisStore } from "../src/index.ts";
import { STEADY, WRITE } from "../src/scripts.ts";

await describeWithServer("redis", (server) => {
  async function setUp() {
    const namespace = `records-${crypto.randomUUID()}`;
    const client = createClient({ url: server.url });
    client.on("error", () => undefined);
    await client.connect();
    const store = await openRedisStore({ client, namespace });
    onTestFinished(async () => {
      await store.close();
      const keys = await client.keys(`tidemark:{${namespace}}*`);
      if (keys.length > 0) await client.del(keys);
      client.destroy();
    });
    return { namespace, client, store, index: `tidemark:{${namespace}}`, hash: `tidemark:{${namespace}}:c/t` };
  }
  const key = { consumer: "c", topic: "t", partition: 0 };
  const claim = { key, token: "t", owner: "o" };

  it("flushes all partitions of a consumer and topic with one command", async () => {
    const { namespace } = await setUp();
    const entries = Array.from({ length: 100 }, (_, partition) => ({
      key: { ...key, partition },
      token: "t",
      nextOffset: 1n,
    }));
    const proxy = await openTcpProxy({ port: Number(new URL(server.url).port), protocol: "resp" });
    const counted = createClient({ url: `redis://127.0.0.1:${proxy.port}` });
    await counted.connect();
    const through = await openRedisStore({ client: counted, namespace });
    const requests = () => proxy.takeRequests().map(({ name, target }) => `${name} ${target}`);
    await through.claim([claim]);
    await through.claim(entries.map((entry) => ({ ...claim, key: entry.key })));
    await through.commit(entries);
    requests();
    await through.commit(entries.map((entry) => ({ ...entry, nextOffset: 2n })));
    expect(requests()).toEqual([`EVALSHA ${STEADY.sha}`]);
    // One version each, which two flushes of some have made.
    await through.commit(entries.slice(0, 50).map((entry) => ({ ...entry, nextOffset: 3n })));
    await through.commit(entries.map((entry) => ({ ...entry, nextOffset: 4n })));
    expect(requests()).toEqual([`EVALSHA ${STEADY.sha}`, `EVALSHA ${STEADY.sha}`]);
    expect(await through.fetch(entries.map((entry) => entry.key))).toMatchObject(
      entries.map(() => ({ record: { nextOffset: 4n } })),
    );
    await through.close();
    counted.destroy();
    await proxy.close();
  });

  it("gives memory back with nobody reading", async () => {
    const { store, client, hash } = await setUp();
    await store.claim([
      { ...claim, ttl: 2_000 },
      { ...claim, key: { ...key, partition: 1 }, ttl: 2_500 },
    ]);
    expect(await client.exists(hash)).toBe(1);
    // Redis forgets an expired key within its active cycle; DBSIZE counts it until then.
    await expect.poll(async () => (await client.keys(`${hash}*`)).length).toBe(0);
  });

  it("leaves what it does not know as it is, and names it (contract 3.3a, 3.20)", async () => {
    const { store, client, hash } = await setUp();
    await store.claim([{ ...claim, key: { ...key, topic: "fine" } }, claim]);
    await client.set(hash, "a string");
    const named = new RegExp(hash.replaceAll(/[{}/]/gu, "."));
    const damaged = { status: "failed", error: { code: "CORRUPT_RECORD", message: named } };
    // By what is remembered, by what is read, and beside what is fine.
    expect(await store.commit([{ key, token: "t", nextOffset: 1n }])).toMatchObject([damaged]);
    const fine = { key: { ...key, topic: "fine" }, token: "t", nextOffset: 1n };
    expect(await store.commit([{ key, token: "t", nextOffset: 1n }, fine])).toMatchObject([
      damaged,
      { status: "committed" },
    ]);
    expect(await store.claim([claim])).toMatchObject([damaged]);
    expect(await client.get(hash)).toBe("a string");
    expect(await store.fetch([key])).toMatchObject([damaged]);
    await expect(Array.fromAsync(store.list())).rejects.toMatchObject({ code: "CORRUPT_RECORD", message: named });
    expect(await store.delete({ keys: [key] })).toEqual([key]);
    await store.claim([claim]);
    for (const value of ["7;what is this", "", "AAAAAAAAAAAA{}", "AAAAAAAAAAAA;1764000000", ";1764000000;1"]) {
      await client.hSet(hash, "0", value);
      expect(await store.commit([{ key, token: "t", nextOffset: 1n }])).toMatchObject([damaged]);
      expect(await client.hGet(hash, "0")).toBe(value);
    }
    const future = 'AAAAAAAAAAAA{"v":2};1764000000;1';
    await client.hSet(hash, "0", future);
    expect(await store.commit([{ key, token: "t", nextOffset: 1n }])).toMatchObject([
      { status: "failed", error: { code: "CORRUPT_RECORD", message: /version is 2/u } },
    ]);
    expect(await client.hGet(hash, "0")).toBe(future);
    await client.hSet(hash, "not a partition", "somebody's");
    expect(await store.delete({ keys: [key] })).toEqual([key]);
    expect(await client.hGetAll(hash)).toEqual({ "not a partition": "somebody's" });
    expect(await Array.fromAsync(store.list())).toHaveLength(1);
  });

  it("names in the index what a running session writes, within a minute of the loss", async () => {
    const { store, client, index } = await setUp();
    const keys = [0, 1, 2].map((partition) => ({ ...key, partition }));
    await store.claim(keys.map((each) => ({ ...claim, key: each })));
    let nextOffset = 0n;
    const commit = () => store.commit([{ key, token: "t", nextOffset: (nextOffset += 1n) }]);
    await commit();
    const now = performance.now.bind(performance);
    let minutes = 0;
    const later = vi.spyOn(performance, "now").mockImplementation(() => now() + minutes * 61_000);
    onTestFinished(() => later.mockRestore());
    for (const lose of [() => client.del(index), () => client.zRem(index, ["c/t/0", "c/t/2"])]) {
      await lose();
      expect((await Array.fromAsync(store.list())).length).toBeLessThan(3);
      await commit();
      expect((await Array.fromAsync(store.list())).length).toBeLessThan(3);
      minutes += 1;
      // It alone commits, and all that are beside it in the hash are named again.
      expect(await commit()).toEqual([{ status: "committed" }]);
      expect(await Array.fromAsync(store.list())).toHaveLength(3);
    }
    await client.del(index);
    // At once: by a claim, and by another process.
    await store.claim([{ ...claim, token: "newer" }]);
    expect(await Array.fromAsync(store.list())).toHaveLength(3);
    await client.del(index);
    await using other = await openRedisStore({ url: server.url, namespace: store.namespace });
    await other.commit([{ key, token: "newer", nextOffset: 100n }]);
    expect(await store.delete({ topic: "t" })).toHaveLength(3);
  });

  it("deletes by all of a key's names although the index is lost", async () => {
    const { store, client, index } = await setUp();
    await store.claim([claim]);
    await client.del(index);
    expect(await Array.fromAsync(store.list(key))).toHaveLength(1);
    expect(await store.delete(key)).toEqual([key]);
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
  });

  it("lists 12,000 records of one group and of many, once each", async () => {
    const { store } = await setUp();
    const many = Array.from({ length: 10_000 }, (_, partition) => ({ ...claim, key: { ...key, partition } }));
    const groups = Array.from({ length: 2_000 }, (_, each) => ({ ...claim, key: { ...key, consumer: `c${each}` } }));
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

  it("asks for the time, and names the index, only where somebody needs it", async () => {
    const { store, client } = await setUp();
    await store.claim([claim]);
    const replies: unknown[] = [];
    const watched = Object.create(client, {
      isReady: { value: false },
      sendCommand: {
        value: async (args: string[], options: object) => {
          const reply = await client.sendCommand(args, options);
          if (args[1] === STEADY.sha || args[1] === WRITE.sha) replies.push([args[2], reply]);
          return reply;
        },
      },
    }) as typeof client;
    await using through = await openRedisStore({ client: watched, namespace: store.namespace });
    await through.claim([{ ...claim, token: "newer" }]);
    await through.commit([{ key, token: "newer", nextOffset: 1n }]);
    await store.commit([{ key, token: "newer", nextOffset: 2n }]);
    expect(await through.commit([{ key, token: "newer", nextOffset: 1n }])).toMatchObject([{ status: "behind" }]);
    expect(replies).toEqual([
      ["2", expect.stringMatching(/^;\d+;\d+$/u)],
      ["1", 1],
      ["1", "!0"],
    ]);
  });
});
