import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { OffsetKey } from "@tidemark/core";
import { createOffsetStore } from "@tidemark/core/driver";
import { Connection } from "../src/connection.ts";
import { SqliteDriver } from "../src/sqlite-driver.ts";
import { collect, key, openHandle, openStore } from "./open-store.ts";
import { temporaryFolder } from "./temporary-folder.ts";

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
    ["a version of the future", "version = 2", /version is 2/u],
    ["a negative position", "next_offset = -1", /next_offset is negative \(-1\)/u],
    ["a ttl of nothing", "ttl = 0", /ttl is 0/u],
    ["a time that no Date holds", "expires_at = 9223372036854775807", /expires_at is 9223372036854775807/u],
  ])("fail alone and stay as they are: %s", async (_what, change, message) => {
    const { store, file } = await openStore();
    const whole = { ...key, partition: 1 };
    await store.claim([key, whole, last].map((each) => ({ key: each, token: "t", owner: "o" })));
    const database = openHandle(file);
    database.exec(`UPDATE tidemark_offsets SET ${change} WHERE partition = 0`);
    const row = () =>
      database
        .prepare(
          "SELECT CAST(next_offset AS TEXT) AS n, version, token, CAST(expires_at AS TEXT) AS e FROM tidemark_offsets WHERE partition = 0",
        )
        .get();
    const before = row();
    const failed = { status: "failed", error: { code: "CORRUPT_RECORD", keys: [key] } };
    const answers = [
      await store.fetch([key, whole]),
      await store.claim([key, whole].map((each) => ({ key: each, token: "t", owner: "o" }))),
      await store.commit([key, whole].map((each) => ({ key: each, token: "t", nextOffset: 1n }))),
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

  it("are not swept if their version is another (contract 3.20)", async () => {
    const { store, file } = await openStore();
    await store.reset([{ key, nextOffset: 1n, ttl: 1_000 }]);
    openHandle(file).exec("UPDATE tidemark_offsets SET version = 2, expires_at = 1");
    await store.reset([{ key: last, nextOffset: 1n }]);
    expect(await store.delete({ expired: true })).toEqual([]);
    expect(await store.fetch([key])).toMatchObject([{ status: "failed" }]);
  });
});

describe("expiry", () => {
  async function withExpired(count: number) {
    const { store, file } = await openStore();
    const entries = Array.from({ length: count }, (_, partition) => ({
      key: { ...key, partition },
      nextOffset: 1n,
      ttl: 3_600_000,
    }));
    await store.reset(entries);
    const database = openHandle(file);
    // As if the hour had passed.
    database.exec("UPDATE tidemark_offsets SET expires_at = expires_at - 3600000");
    const rows = () => database.prepare("SELECT count(*) AS count FROM tidemark_offsets").get()?.["count"];
    return { store, rows };
  }

  it("hides records from the moment on", async () => {
    const { store } = await withExpired(1);
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
    expect(await collect(store.list())).toEqual([]);
    expect(await store.delete({ keys: [key] })).toEqual([]);
  });

  it("frees at most a hundred with each write", async () => {
    const { store, rows } = await withExpired(250);
    const other = { key: { consumer: "other", topic: "t", partition: 0 }, nextOffset: 1n };
    const counts: unknown[] = [];
    for (let write = 0; write < 3; write += 1) {
      await store.reset([other]);
      counts.push(rows());
    }
    expect(counts).toEqual([151, 51, 1]);
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
    const file = join(await temporaryFolder(), "full.db");
    const connection = await Connection.open(file, "full", AbortSignal.timeout(5_000));
    const store = createOffsetStore(new SqliteDriver({ connection, file, namespace: "n", durability: "synced" }));
    await store.reset([{ key, nextOffset: 1n }]);
    // SQLite's own limit of the file's size answers just like a disk without room.
    connection.database.exec("PRAGMA max_page_count = 20");
    const big = Array.from({ length: 100 }, (_, partition) => ({
      key: { ...key, partition },
      nextOffset: 2n,
      metadata: "m".repeat(2_000),
    }));
    const error = { code: "UNAVAILABLE", retryable: true, message: expect.stringContaining("no room") as string };
    await expect(store.reset(big)).rejects.toMatchObject(error);
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 1n } }]);
    expect(await store.reset([{ key, nextOffset: 3n }])).toEqual([{ status: "reset" }]);
    connection.database.exec("PRAGMA max_page_count = 1000000");
    await store.reset(big);
    expect(await collect(store.list())).toHaveLength(100);
    await store.close();
  });
});
