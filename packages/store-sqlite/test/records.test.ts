import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { OffsetKey } from "@tidemark/core";
import { collect, key, openHandle, openStore } from "./open-store.ts";

describe("names and positions", () => {
  it("keeps apart names with any character in them", async () => {
    const { store } = await openStore();
    const names = [
      "a",
      "a\0",
      "a\0b",
      "a\nb",
      "é",
      "e\u0301",
      "😀",
      "'; --",
      "%",
      "A",
      "__proto__",
      " a",
      "x".repeat(255),
    ];
    const keys = names.flatMap((consumer) => names.map((topic) => ({ consumer, topic, partition: 0 })));
    await store.reset(keys.map((each, index) => ({ key: each, nextOffset: BigInt(index) })));
    const found = await store.fetch(keys);
    keys.forEach((each, index) => {
      expect(found[index]).toMatchObject({ status: "found", record: { ...each, nextOffset: BigInt(index) } });
    });
    expect(await collect(store.list({ topic: "a\0" }))).toHaveLength(names.length);
    expect(await store.delete({ consumer: "a" })).toHaveLength(names.length);
    expect(await collect(store.list())).toHaveLength(names.length * (names.length - 1));
  });

  it("tells positions beyond 2^53 apart, to the end of int64", async () => {
    const { store } = await openStore();
    await store.claim([{ key, token: "t", owner: "o" }]);
    for (const nextOffset of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 2n, 2n ** 63n - 1n]) {
      expect(await store.commit([{ key, token: "t", nextOffset }])).toEqual([{ status: "committed" }]);
      expect(await store.commit([{ key, token: "t", nextOffset: nextOffset - 1n }])).toMatchObject([
        { status: "behind", record: { nextOffset } },
      ]);
    }
  });
});

describe("rows that somebody else changed", () => {
  const last: OffsetKey = { ...key, partition: 2 };

  it.each([
    ["a version of the future", '{"v":2,"epoch":1}', /its version is 2/u],
    ["a negative position", '{"v":1,"epoch":1,"nextOffset":"-1"}', /its nextOffset is not valid/u],
    ["a ttl of nothing", '{"v":1,"epoch":1,"ttl":0}', /its ttl is not valid/u],
    ["no object", "42", /it is not an object/u],
    ["no JSON", "a\0b", /it is not JSON/u],
  ])("fail alone and stay as they are: %s", async (_what, value, message) => {
    const { store, file } = await openStore();
    const whole = { ...key, partition: 1 };
    await store.claim([key, whole, last].map((each) => ({ key: each, token: "t", owner: "o" })));
    const database = openHandle(file);
    database.prepare("UPDATE tidemark_offsets SET version = 'by hand', value = ? WHERE partition = 0").run(value);
    const row = () => database.prepare("SELECT * FROM tidemark_offsets WHERE partition = 0").get();
    const before = row();
    const failed = { status: "failed", error: { code: "CORRUPT_RECORD", keys: [key] } };
    const answers = [
      await store.commit([key, whole].map((each) => ({ key: each, token: "t", nextOffset: 1n }))),
      await store.fetch([key, whole]),
      await store.claim([key, whole].map((each) => ({ key: each, token: "t", owner: "o" }))),
      await store.reset([key, whole].map((each) => ({ key: each, nextOffset: 1n }))),
      await store.expire([key, whole].map((each) => ({ key: each, ttl: 1_000_000 }))),
    ];
    for (const [first, second] of answers) {
      expect(first).toMatchObject(failed);
      expect(second?.status).not.toBe("failed");
      if (first?.status === "failed") expect(first.error.message).toMatch(message);
    }
    expect(row()).toEqual(before);
    const seen: number[] = [];
    const listing = (async () => {
      for await (const { partition } of store.list()) seen.push(partition);
    })();
    await expect(listing).rejects.toMatchObject({ code: "CORRUPT_RECORD", keys: [key] });
    expect(seen).toEqual([1, 2]);
    expect(await store.delete({ keys: [key] })).toEqual([key]);
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
  });

  it.each(["partition = -1", "written_at = 9223372036854775807", "reclaim_at = -1", "version = NULL", "value = NULL"])(
    "cannot be given what no store writes: %s",
    async (change) => {
      const { store, file } = await openStore();
      await store.reset([{ key, nextOffset: 1n }]);
      expect(() => openHandle(file).exec(`UPDATE tidemark_offsets SET ${change}`)).toThrow(/constraint failed/u);
    },
  );
});

describe("rows whose ids a store knows", () => {
  const keys = Array.from({ length: 25 }, (_, partition) => ({ ...key, partition }));
  const committed = { status: "committed" };
  it.each([undefined, 3_600_000])(
    "are written each with its own, whatever versions they hold (ttl %s)",
    async (ttl) => {
      const { store } = await openStore({ synchronous: "normal" });
      await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o", ttl })));
      for (const every of [1, 1, 3, 2, 1, 1]) {
        const some = keys.filter(({ partition }) => partition % every === 0);
        const entries = some.map((each) => ({ key: each, token: "t", nextOffset: 10n, metadata: `${each.partition}` }));
        expect(await store.commit(entries)).toEqual(
          some.map(() => ({ ...committed, ...(ttl !== undefined && { ttl }) })),
        );
      }
      const records = await store.fetch(keys);
      for (const [partition, found] of records.entries()) {
        expect(found).toMatchObject({ record: { nextOffset: 10n, metadata: `${partition}` } });
      }
    },
  );

  it("are left alone together where one is another's now, and then one by one", async () => {
    const { store, file } = await openStore();
    const { store: other } = await openStore({ file });
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    for (const nextOffset of [1n, 2n]) {
      await store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset })));
    }
    await other.claim([{ key: { ...key, partition: 17 }, token: "u", owner: "another" }]);
    const outcomes = await store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset: 3n })));
    const fenced = { status: "fenced", reason: "superseded", owner: "another" };
    expect(outcomes).toEqual(keys.map(({ partition }) => (partition === 17 ? fenced : committed)));
    expect(await store.fetch([{ ...key, partition: 17 }])).toMatchObject([{ record: { nextOffset: 2n } }]);
  });

  it("are not mistaken for others that came after they were deleted", async () => {
    const { store, file } = await openStore();
    const { store: other } = await openStore({ file });
    const [one, two] = [key, { ...key, partition: 1 }];
    await store.claim([one, two].map((each) => ({ key: each, token: "t", owner: "o" })));
    for (const nextOffset of [1n, 2n]) {
      await store.commit([one, two].map((each) => ({ key: each, token: "t", nextOffset })));
    }
    await other.delete({ keys: [one, two] });
    await other.claim([two, one].map((each) => ({ key: each, token: "t", owner: "o" })));
    await other.commit([{ key: two, token: "t", nextOffset: 22n }]);
    expect(await store.commit([{ key: one, token: "t", nextOffset: 3n }])).toEqual([committed]);
    expect(await store.commit([{ key: two, token: "t", nextOffset: 3n }])).toMatchObject([{ status: "behind" }]);
    expect(await store.fetch([one, two])).toMatchObject([
      { record: { nextOffset: 3n } },
      { record: { nextOffset: 22n } },
    ]);
  });
});

describe("members", () => {
  it("are in no listing, and go with their consumer or topic", async () => {
    const { store, file } = await openStore();
    await store.reset([{ key, nextOffset: 1n }]);
    const database = openHandle(file);
    const count = () => database.prepare("SELECT count(*) AS count FROM tidemark_members").get()?.["count"];
    const insert = database.prepare(
      `INSERT INTO tidemark_members (namespace, consumer, topic, member, version, written_at, value)
       VALUES ('tidemark', ?, ?, ?, 'a version', 1, '{}')`,
    );
    for (const member of ["", "0", "m"]) insert.run(key.consumer, key.topic, member);
    insert.run(key.consumer, "another", "");
    insert.run("another", key.topic, "m");
    expect(await collect(store.list())).toHaveLength(1);
    expect(await store.delete({ consumer: key.consumer, partition: 0 })).toEqual([key]);
    expect(count()).toBe(5);
    expect(await store.delete({ consumer: key.consumer, topic: key.topic })).toEqual([]);
    expect(count()).toBe(2);
    expect(await store.delete({ topic: key.topic })).toEqual([]);
    expect(count()).toBe(1);
  });
});

describe("expiry", () => {
  async function withExpired(count: number) {
    const { store, file } = await openStore({ synchronous: "normal" });
    const entries = Array.from({ length: count }, (_, partition) => ({
      key: { ...key, partition },
      nextOffset: 1n,
      ttl: 3_600_000,
    }));
    await store.reset(entries);
    const database = openHandle(file);
    // As if the hour had passed.
    database.exec("UPDATE tidemark_offsets SET written_at = written_at - 3600000, reclaim_at = reclaim_at - 3600000");
    const rows = () => Number(database.prepare("SELECT count(*) AS count FROM tidemark_offsets").get()?.["count"]);
    return { store, file, rows };
  }

  it("hides records from the moment on", async () => {
    const { store } = await withExpired(1);
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
    expect(await collect(store.list())).toEqual([]);
    expect(await store.delete({ keys: [key] })).toEqual([]);
  });

  it("frees a part with a write now and then, whatever namespace it is of", async () => {
    const { store, file, rows } = await withExpired(500);
    const { store: other } = await openStore({ file, namespace: "other", synchronous: "normal" });
    await store.reset([{ key: { ...key, partition: 1_000 }, nextOffset: 1n, ttl: 3_600_000 }]);
    for (let before = rows(); before > 2;) {
      await other.reset([{ key, nextOffset: 1n }]);
      const after = rows();
      expect(before - after).toBeLessThanOrEqual(200);
      before = after;
    }
    expect(await collect(store.list())).toMatchObject([{ partition: 1_000 }]);
  });

  it("frees all with delete({ expired: true }), in steps, and tells the keys", async () => {
    const { store, rows } = await withExpired(1_000);
    const removed = await store.delete({ expired: true });
    expect(new Set(removed.map(({ partition }) => partition)).size).toBe(1_000);
    expect(rows()).toBe(0);
  });
});

describe("many records", () => {
  it("lists in pages what is there throughout exactly once, and deletes in steps", async () => {
    const { store } = await openStore({ synchronous: "normal" });
    const entries = Array.from({ length: 3_500 }, (_, index) => ({
      key: { consumer: `c${index % 7}`, topic: "orders", partition: index },
      nextOffset: 1n,
    }));
    for (let start = 0; start < entries.length; start += 1_000) await store.reset(entries.slice(start, start + 1_000));
    for (const filter of [{}, { topic: "orders" }]) {
      const seen = new Map<number, number>();
      for await (const { partition } of store.list(filter)) {
        seen.set(partition, (seen.get(partition) ?? 0) + 1);
        // Every third one comes and goes while the listing runs.
        const other = entries[(partition * 31) % entries.length];
        if (other === undefined || other.key.partition % 3 !== 0 || partition % 10 !== 0) continue;
        await store.delete({ keys: [other.key] });
        await store.reset([other]);
      }
      for (const { key: each } of entries) {
        if (each.partition % 3 !== 0) expect(seen.get(each.partition)).toBe(1);
      }
    }
    expect(await collect(store.list({ consumer: "c3" }))).toHaveLength(500);
    expect(await collect(store.list({ partition: 17 }))).toHaveLength(1);
    expect(await collect(store.list({ consumer: "c3", topic: "orders", partition: 17 }))).toHaveLength(1);
    expect(await store.delete({ topic: "orders" })).toHaveLength(3_500);
    expect(await collect(store.list())).toEqual([]);
  });
});

describe("a full disk", () => {
  it("loses nothing and goes on when there is room", async () => {
    const exec = vi.spyOn(DatabaseSync.prototype, "exec");
    onTestFinished(() => exec.mockRestore());
    const { store } = await openStore();
    const [handle] = exec.mock.contexts as DatabaseSync[];
    await store.reset([{ key, nextOffset: 1n }]);
    // SQLite's own limit of the file's size answers just like a disk without room.
    handle?.exec("PRAGMA max_page_count = 20");
    const big = Array.from({ length: 100 }, (_, partition) => ({
      key: { ...key, partition },
      nextOffset: 2n,
      metadata: "m".repeat(2_000),
    }));
    const error = { code: "UNAVAILABLE", retryable: true, message: expect.stringContaining("no room") as string };
    await expect(store.reset(big)).rejects.toMatchObject(error);
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 1n } }]);
    expect(await store.reset([{ key, nextOffset: 3n }])).toEqual([{ status: "reset" }]);
    handle?.exec("PRAGMA max_page_count = 1000000");
    await store.reset(big);
    expect(await collect(store.list())).toHaveLength(100);
  });
});
