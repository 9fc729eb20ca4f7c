import { describe, expect, it } from "vitest";
import type { OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import { createMemoryBackend, createMemoryStore } from "../src/index.ts";

const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };

async function collect(records: AsyncIterable<OffsetRecord>): Promise<OffsetRecord[]> {
  const all: OffsetRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

async function claimMany(store: OffsetStore, count: number, ttl?: number): Promise<void> {
  const entries = Array.from({ length: count }, (_, partition) => ({
    key: { consumer: "many", topic: "orders", partition },
    token: "t",
    owner: "o",
    ttl,
  }));
  await store.claim(entries);
}

describe("createMemoryStore", () => {
  it("keeps a committed position and fences the older claim", async () => {
    const store = createMemoryStore();
    const [first] = await store.claim([{ key, token: "a", owner: "one" }]);
    expect(first).toEqual({ status: "claimed", epoch: expect.any(Number), record: undefined });
    await store.commit([{ key, token: "a", nextOffset: 2n ** 63n - 1n, metadata: "m" }]);
    const [claimed] = await store.claim([{ key, token: "b", owner: "two" }]);
    expect(claimed).toMatchObject({
      status: "claimed",
      record: { nextOffset: 2n ** 63n - 1n, metadata: "m" },
    });
    expect(await store.commit([{ key, token: "a", nextOffset: 3n }])).toEqual([
      { status: "fenced", reason: "superseded", owner: "two" },
    ]);
    expect(await store.commit([{ key, token: "b", nextOffset: 3n }])).toMatchObject([{ status: "behind" }]);
  });

  it("is gone with the store when no backend is given", async () => {
    await createMemoryStore().reset([{ key, nextOffset: 1n }]);
    expect(await createMemoryStore().fetch([key])).toEqual([{ status: "absent" }]);
  });

  it("shares a backend by namespace, beyond close", async () => {
    const backend = createMemoryBackend();
    const first = createMemoryStore({ backend, namespace: "a" });
    await first.reset([{ key, nextOffset: 7n }]);
    await first.close();
    await expect(first.fetch([key])).rejects.toMatchObject({ code: "CLOSED" });
    const [same, other] = [createMemoryStore({ backend, namespace: "a" }), createMemoryStore({ backend })];
    expect(await same.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 7n } }]);
    expect(await other.fetch([key])).toEqual([{ status: "absent" }]);
  });

  it("refuses a clock beside a backend, a clock that is none, and a backend that is none", () => {
    const backend = createMemoryBackend();
    expect(() => createMemoryStore({ backend, clock: Date.now })).toThrow(TypeError);
    expect(() => createMemoryStore({ clock: 5 as never })).toThrow("clock must be a function");
    expect(() => createMemoryStore({ backend: {} as never })).toThrow("createMemoryBackend()");
    expect(() => createMemoryStore({ namespace: "" })).toThrow("namespace must not be empty");
  });

  it("takes names that are properties of every object", async () => {
    const store = createMemoryStore();
    for (const name of ["__proto__", "constructor", "toString"]) {
      const odd = { consumer: name, topic: name, partition: 0 };
      expect(await store.fetch([odd])).toEqual([{ status: "absent" }]);
      await store.reset([{ key: odd, nextOffset: 1n }]);
    }
    expect(await collect(store.list())).toHaveLength(3);
  });

  it("rejects with the reason of a signal that is aborted", async () => {
    const reason = new Error("enough");
    await expect(createMemoryStore().fetch([key], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("expiry in memory", () => {
  it("hides an expired record from every verb, by the store's own clock", async () => {
    let now = 1_000;
    const store = createMemoryStore({ clock: () => now });
    await store.claim([{ key, token: "a", owner: "one", ttl: 50 }]);
    await store.commit([{ key, token: "a", nextOffset: 5n }]);
    now = 1_049;
    expect(await store.fetch([key])).toMatchObject([{ record: { expiresAt: new Date(1_050), ttl: 50 } }]);
    now = 1_050;
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
    expect(await collect(store.list())).toEqual([]);
    expect(await store.expire([{ key, ttl: 10 }])).toEqual([{ status: "absent" }]);
    expect(await store.commit([{ key, token: "a", nextOffset: 6n }])).toEqual([{ status: "fenced", reason: "absent" }]);
    expect(await store.delete({ keys: [key] })).toEqual([]);
    expect(await store.claim([{ key, token: "b", owner: "two" }])).toMatchObject([
      { status: "claimed", record: undefined },
    ]);
  });

  it("frees expired records on later writes, a bounded number each, and never one that was renewed", async () => {
    let now = 0;
    const backend = createMemoryBackend({ clock: () => now });
    const store = createMemoryStore({ backend });
    await claimMany(store, 1_000, 100);
    now = 50;
    const renewed = { consumer: "many", topic: "orders", partition: 3 };
    await store.commit([{ key: renewed, token: "t", nextOffset: 1n }]);
    now = 120;
    const sizes: number[] = [];
    for (let write = 0; write < 600; write += 1) {
      await store.reset([{ key, nextOffset: 1n }]);
      sizes.push(backend.size("tidemark"));
    }
    for (const [write, size] of sizes.entries()) expect((sizes[write - 1] ?? 1_001) - size).toBeLessThanOrEqual(2);
    expect(sizes.at(-1)).toBe(2);
    expect(await store.fetch([renewed])).toMatchObject([{ status: "found" }]);
  });

  it("finds what has expired among many times to live", async () => {
    let now = 0;
    const backend = createMemoryBackend({ clock: () => now });
    const store = createMemoryStore({ backend });
    await store.claim(
      Array.from({ length: 500 }, (_, partition) => ({
        key: { consumer: "c", topic: "t", partition },
        token: "t",
        owner: "o",
        ttl: partition % 2 === 0 ? 1_000_000 + partition : 10 + partition,
      })),
    );
    now = 1_000;
    for (let write = 0; write < 300; write += 1) await store.reset([{ key, nextOffset: 1n }]);
    expect(backend.size("tidemark")).toBe(251);
  });

  it("tells the expired keys that delete({ expired: true }) removed", async () => {
    let now = 0;
    const store = createMemoryStore({ clock: () => now });
    await claimMany(store, 3, 100);
    await store.reset([{ key, nextOffset: 1n }]);
    now = 100;
    const removed = await store.delete({ expired: true });
    expect(new Set(removed.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
    expect(await store.delete({ expired: true })).toEqual([]);
    expect(await collect(store.list())).toHaveLength(1);
  });
});

describe("list in memory", () => {
  it("gives what is there throughout exactly once, while others write", async () => {
    const store = createMemoryStore();
    await claimMany(store, 5_000);
    const seen = new Map<number, number>();
    let count = 0;
    for await (const { partition } of store.list({ consumer: "many" })) {
      seen.set(partition, (seen.get(partition) ?? 0) + 1);
      if (count++ % 100 !== 0) continue;
      // The odd ones come and go and the even ones are rewritten while the listing runs.
      const odd = { consumer: "many", topic: "orders", partition: ((count * 7) % 5_000) | 1 };
      await store.delete({ keys: [odd] });
      await store.reset([{ key: odd, nextOffset: 1n }]);
      await store.reset([{ key: { ...odd, partition: odd.partition - 1 }, nextOffset: 2n }]);
    }
    for (let partition = 0; partition < 5_000; partition += 2) expect(seen.get(partition)).toBe(1);
  });

  it("ends although every record seen makes another one be written", async () => {
    const store = createMemoryStore();
    // More than one page: what is written while the first is read comes before the end of the last.
    await claimMany(store, 1_500);
    let seen = 0;
    for await (const { topic, partition } of store.list()) {
      seen += 1;
      await store.reset([{ key: { consumer: "new", topic, partition }, nextOffset: 1n }]);
    }
    expect(seen).toBe(1_500);
  });

  it("leaves out what expires while it runs", async () => {
    let now = 1_000;
    const store = createMemoryStore({ clock: () => now });
    await claimMany(store, 3_000, 10);
    let seen = 0;
    for await (const _ of store.list()) {
      seen += 1;
      now = 1_010;
    }
    expect(seen).toBe(1_000);
  });

  it.each([
    [{ consumer: "a" }, ["a/x/0", "a/x/1", "a/y/0"]],
    [{ topic: "x" }, ["a/x/0", "a/x/1", "b/x/0"]],
    [{ partition: 0 }, ["a/x/0", "a/y/0", "b/x/0"]],
    [{ topic: "x", partition: 0 }, ["a/x/0", "b/x/0"]],
    [{ consumer: "a", topic: "x", partition: 1 }, ["a/x/1"]],
    [{ consumer: "none" }, []],
    [{}, ["a/x/0", "a/x/1", "a/y/0", "b/x/0"]],
  ])("matches %o exactly, in list and delete", async (filter, expected) => {
    const store = createMemoryStore();
    const keys = [
      { consumer: "a", topic: "x", partition: 0 },
      { consumer: "a", topic: "x", partition: 1 },
      { consumer: "a", topic: "y", partition: 0 },
      { consumer: "b", topic: "x", partition: 0 },
    ];
    await store.reset(keys.map((each) => ({ key: each, nextOffset: 1n })));
    const names = (of: readonly OffsetKey[]): string[] =>
      of.map(({ consumer, topic, partition }) => `${consumer}/${topic}/${partition}`).sort();
    expect(names(await collect(store.list(filter)))).toEqual(expected);
    if (!("consumer" in filter || "topic" in filter)) return;
    expect(names(await store.delete(filter))).toEqual(expected);
    expect(await collect(store.list())).toHaveLength(4 - expected.length);
  });
});
