import { describe, expect, it } from "vitest";
import type { SqliteTransaction } from "../src/index.ts";
import { key, openHandle, openStore } from "./open-store.ts";

describe("a commit inside a transaction", () => {
  async function setUp() {
    const { store, file } = await openStore();
    await store.claim([{ key, token: "t", owner: "o" }]);
    await store.commit([{ key, token: "t", nextOffset: 5n }]);
    const database = openHandle(file);
    database.exec("CREATE TABLE work (id INTEGER PRIMARY KEY)");
    database.exec("BEGIN IMMEDIATE; INSERT INTO work VALUES (1)");
    const works = () => database.prepare("SELECT count(*) AS count FROM work").get()?.["count"];
    return { store, file, database, works };
  }

  it("becomes visible with it", async () => {
    const { store, database, works } = await setUp();
    const commit = store.commit([{ key, token: "t", nextOffset: 2n ** 53n + 1n }], { transaction: database });
    expect(await commit).toEqual([{ status: "committed" }]);
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 5n } }]);
    database.exec("COMMIT");
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 2n ** 53n + 1n } }]);
    expect(works()).toBe(1);
  });

  it("is undone with it", async () => {
    const { store, database, works } = await setUp();
    await store.commit([{ key, token: "t", nextOffset: 9n }], { transaction: database });
    database.exec("ROLLBACK");
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 5n } }]);
    expect(works()).toBe(0);
    expect(database.isOpen).toBe(true);
  });

  it("rejects with CONFLICT when refused, and has written nothing of the batch", async () => {
    const { store, database } = await setUp();
    const fresh = { ...key, partition: 1 };
    const entries = [
      { key: fresh, token: "t", nextOffset: 1n, recreate: true },
      { key, token: "t", nextOffset: 3n },
    ];
    const behind = { status: "behind", record: { nextOffset: 5n } };
    await expect(store.commit(entries, { transaction: database })).rejects.toMatchObject({
      code: "CONFLICT",
      refusal: behind,
    });
    database.exec("COMMIT");
    expect(await store.fetch([fresh])).toEqual([{ status: "absent" }]);
  });

  it("is written also on a handle that was closed and opened again since", async () => {
    const { store, database } = await setUp();
    await store.commit([{ key, token: "t", nextOffset: 6n }], { transaction: database });
    database.exec("COMMIT");
    database.close();
    database.open();
    database.exec("BEGIN IMMEDIATE");
    expect(await store.commit([{ key, token: "t", nextOffset: 7n }], { transaction: database })).toEqual([
      { status: "committed" },
    ]);
    database.exec("COMMIT");
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 7n } }]);
  });

  it("is written whole or not at all, also where SQLite itself refuses a part", async () => {
    const { store, database } = await setUp();
    const other = { ...key, partition: 1 };
    database.exec("ROLLBACK");
    await store.claim([{ key: other, token: "t", owner: "o" }]);
    database.exec(`CREATE TRIGGER refuses BEFORE UPDATE ON tidemark_offsets WHEN old.partition = 1
      BEGIN SELECT RAISE(ABORT, 'not this one'); END`);
    database.exec("BEGIN IMMEDIATE");
    const entries = [key, other].map((each) => ({ key: each, token: "t", nextOffset: 9n }));
    await expect(store.commit(entries, { transaction: database })).rejects.toThrow("not this one");
    expect(database.isTransaction).toBe(true);
    database.exec("COMMIT");
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 5n } }]);
  });

  it("keeps the store's own writes waiting, and out of the transaction", async () => {
    const { store, database } = await setUp();
    const other = { ...key, partition: 1 };
    const reset = store.reset([{ key: other, nextOffset: 1n }]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    database.exec("ROLLBACK");
    expect(await reset).toEqual([{ status: "reset" }]);
    expect(await store.fetch([other])).toMatchObject([{ status: "found" }]);
  });
});

describe("a commit inside a deferred transaction that has read before", () => {
  it("meets SQLite's conflict, and is not refused by what others have written over (contract 4.1c)", async () => {
    const { store, file } = await openStore();
    const database = openHandle(file);
    await store.claim([{ key, token: "t", owner: "o", ttl: 1 }]);
    await expect.poll(async () => (await store.fetch([key]))[0]?.status, { timeout: 60_000 }).toBe("absent");
    database.exec("BEGIN");
    database.prepare("SELECT count(*) FROM tidemark_offsets").get();
    await store.claim([{ key, token: "t", owner: "o" }]);
    const commit = () => store.commit([{ key, token: "t", nextOffset: 6n }], { transaction: database });
    await expect(commit()).rejects.toMatchObject({ code: "ERR_SQLITE_ERROR", errcode: 517 });
    database.exec("ROLLBACK; BEGIN");
    expect(await commit()).toMatchObject([{ status: "committed" }]);
    database.exec("COMMIT");
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 6n } }]);
  });
});

describe("a handle that cannot take a commit", () => {
  const entries = [{ key, token: "t", nextOffset: 6n }];

  it("has no transaction open", async () => {
    const { store, file } = await openStore();
    const commit = store.commit(entries, { transaction: openHandle(file) });
    await expect(commit).rejects.toThrow(
      new TypeError("transaction has no transaction open: run BEGIN IMMEDIATE on it before the commit"),
    );
  });

  it("is on another file, also one with the same table", async () => {
    const { store } = await openStore();
    const { file } = await openStore();
    for (const name of [file, ":memory:"]) {
      const database = openHandle(name);
      database.exec("BEGIN");
      await expect(store.commit(entries, { transaction: database })).rejects.toThrow(/not on the store's file/u);
    }
  });

  it("is no handle", async () => {
    const { store } = await openStore();
    await expect(store.commit(entries, { transaction: {} as SqliteTransaction })).rejects.toThrow(TypeError);
  });

  it("is a handle of another library, which in one process would break the locks of both", async () => {
    const { store, file } = await openStore();
    const database = openHandle(file);
    database.exec("BEGIN IMMEDIATE");
    const lookalike = { inTransaction: true, open: true, prepare: (sql: string) => database.prepare(sql) };
    const commit = store.commit(entries, { transaction: lookalike as unknown as SqliteTransaction });
    await expect(commit).rejects.toThrow(/must be an open DatabaseSync of node:sqlite/u);
  });

  it("meets a lock: SQLite's own error passes (contract 3.16d)", async () => {
    const { store, file } = await openStore();
    await store.claim([{ key, token: "t", owner: "o" }]);
    const [holder, database] = [openHandle(file), openHandle(file)];
    holder.exec("BEGIN IMMEDIATE");
    database.exec("BEGIN");
    await expect(store.commit(entries, { transaction: database })).rejects.toMatchObject({ errcode: 5 });
  });

  it("meets a record that it cannot read", async () => {
    const { store, file } = await openStore();
    await store.claim([{ key, token: "t", owner: "o" }]);
    const database = openHandle(file);
    database.exec("BEGIN IMMEDIATE; UPDATE tidemark_offsets SET version = 'by hand', value = '{}'");
    const commit = store.commit(entries, { transaction: database });
    await expect(commit).rejects.toMatchObject({ code: "CORRUPT_RECORD", keys: [key] });
  });
});
