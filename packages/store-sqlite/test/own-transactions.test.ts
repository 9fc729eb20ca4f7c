import type { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { key, openHandle, openStore } from "./open-store.ts";

const entry = { key, token: "t", from: 5n, nextOffset: 6n };

async function setUp(timeout = 30_000) {
  const { store, file } = await openStore({ timeout });
  await store.claim([{ key, token: "t", owner: "o" }]);
  await store.commit([{ key, token: "t", nextOffset: 5n }]);
  const reader = openHandle(file);
  reader.exec("CREATE TABLE work (id INTEGER PRIMARY KEY)");
  const works = () => reader.prepare("SELECT count(*) AS count FROM work").get()?.["count"];
  const { transact } = store;
  if (transact === undefined) throw new Error("SQLite has transactions");
  return { store, file, reader, works, transact };
}

describe("a transaction of the store's own", () => {
  it("is on a handle of its own, as durable as the store's, with a transaction open (contract 4.2h)", async () => {
    const { file, transact, works } = await setUp();
    await transact(entry, (database) => {
      expect(database.isTransaction).toBe(true);
      expect(database.location()).toBe(file);
      expect(database.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
      database.exec("INSERT INTO work VALUES (1)");
    });
    expect(works()).toBe(1);
  });

  it("leaves a handle to whoever kept it that gets into no other, once it failed (contract 4.2h)", async () => {
    const { transact, works } = await setUp();
    let kept: DatabaseSync | undefined;
    const call = transact(entry, (database) => {
      kept = database;
      database.exec("INSERT INTO work VALUES (1)");
      throw new Error("no");
    });
    await expect(call).rejects.toThrow("no");
    expect(() => kept?.exec("INSERT INTO work VALUES (2)")).toThrow("database is not open");
    await transact(entry, (database) => database.exec("INSERT INTO work VALUES (3)"));
    expect(works()).toBe(1);
  });

  it("waits for the file, and not longer than the store's time-out", async () => {
    const { store, file, reader, transact } = await setUp(2_000);
    reader.exec("BEGIN IMMEDIATE");
    await expect(transact(entry, () => undefined)).rejects.toMatchObject({ code: "TIMEOUT", operation: "transact" });
    const { store: patient } = await openStore({ file });
    const waiting = patient.transact?.(entry, () => undefined);
    setTimeout(() => reader.exec("ROLLBACK"), 20);
    await waiting;
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 6n } }]);
  });

  it("has no handle to be on where the database is in memory", async () => {
    const { store } = await openStore({ file: ":memory:" });
    expect(store.transact).toBe(undefined);
  });

  it("leaves nothing open when the store is closed", async () => {
    const { store, file, transact } = await setUp();
    await transact(entry, () => undefined);
    await store.close();
    const other = openHandle(file);
    expect(other.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
  });
});
