import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OffsetStoreError } from "@tidemark/core";
import { openSqliteStore, storeUrl } from "../src/index.ts";
import { key, openHandle, openStore } from "./open-store.ts";
import { temporaryFolder } from "./temporary-folder.ts";

describe("openSqliteStore", () => {
  it("makes the file, and finds everything again", async () => {
    const file = join(await temporaryFolder(), "offsets.db");
    const { store } = await openStore({ file });
    await store.reset([{ key, nextOffset: 2n ** 63n - 1n, metadata: "m\0\n", ttl: 60_000 }]);
    await store.close();
    await store.close();
    await expect(store.fetch([key])).rejects.toMatchObject({ code: "CLOSED" });
    const again = (await openStore({ file })).store;
    const record = { nextOffset: 2n ** 63n - 1n, metadata: "m\0\n", ttl: 60_000 };
    expect(await again.fetch([key])).toMatchObject([{ status: "found", record }]);
  });

  it("uses the write-ahead log and keeps a table that anybody can read", async () => {
    const { store, file } = await openStore({ namespace: "n" });
    await store.claim([{ key, token: "t", owner: "o" }]);
    await store.commit([{ key, token: "t", nextOffset: 7n }]);
    const database = openHandle(file);
    expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    const columns = "namespace, consumer, topic, partition, value ->> 'nextOffset' AS nextOffset";
    expect(database.prepare(`SELECT ${columns} FROM tidemark_offsets`).all()).toEqual([
      { namespace: "n", consumer: "c1", topic: "orders", partition: 0, nextOffset: "7" },
    ]);
  });

  it("lives beside other tables", async () => {
    const file = join(await temporaryFolder(), "own.db");
    const database = openHandle(file);
    database.exec("CREATE TABLE work (id INTEGER); INSERT INTO work VALUES (1)");
    await openStore({ file });
    expect(database.prepare("SELECT id FROM work").get()).toEqual({ id: 1 });
  });

  it.each([
    ["full", "synced"],
    ["normal", "process"],
  ] as const)("tells with synchronous %s that writes are %s", async (synchronous, durability) => {
    const { store } = await openStore({ synchronous });
    expect(store.capabilities).toMatchObject({ durability, transactions: true, atomicBatch: true });
    expect(Object.isFrozen(store.capabilities) && Object.isFrozen(store.capabilities.expiry)).toBe(true);
  });

  it("opens :memory: for one handle", async () => {
    const [{ store }, other] = [await openStore({ file: ":memory:" }), await openStore({ file: ":memory:" })];
    await store.reset([{ key, nextOffset: 1n }]);
    expect(store.capabilities.durability).toBe("none");
    expect(await other.store.fetch([key])).toEqual([{ status: "absent" }]);
  });

  it("takes a path that looks like a URI for a path", async () => {
    const folder = await temporaryFolder();
    await openStore({ file: join(folder, "file:x.db?mode=memory") });
    expect((await stat(join(folder, "file:x.db?mode=memory"))).isFile()).toBe(true);
  });

  it.each([
    [{ file: "" }, "file must not be empty"],
    [{ file: undefined as never }, "file must be a string"],
    [{ file: "a\0b" }, "NUL"],
    [{ file: ":memory:", synchronous: "off" as never }, 'synchronous must be "full" or "normal"'],
    [{ file: ":memory:", namespace: "" }, "namespace must not be empty"],
  ])("refuses %j", async (options, message) => {
    const opening = openSqliteStore(options);
    await expect(opening).rejects.toThrow(TypeError);
    await expect(opening).rejects.toThrow(message);
  });

  it("leaves a file alone that is not a SQLite database", async () => {
    const file = join(await temporaryFolder(), "notes.txt");
    await writeFile(file, "These are notes, not positions. ".repeat(100));
    const error: unknown = await openSqliteStore({ file }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(OffsetStoreError);
    expect(error).toMatchObject({ code: "CORRUPT_RECORD", operation: "open", store: "sqlite", retryable: false });
    expect(String(error)).toContain(`${JSON.stringify(file)} is not a SQLite database`);
    expect(await readFile(file, "utf8")).toContain("These are notes");
  });

  it("leaves a table alone that is not its own", async () => {
    const file = join(await temporaryFolder(), "other.db");
    const database = openHandle(file);
    database.exec("CREATE TABLE tidemark_offsets (id INTEGER, position TEXT)");
    const opening = openSqliteStore({ file });
    await expect(opening).rejects.toMatchObject({ code: "UNSUPPORTED", operation: "open" });
    await expect(opening).rejects.toThrow("other columns (id, position)");
    expect(database.prepare("SELECT count(*) AS count FROM sqlite_schema").get()).toEqual({ count: 1 });
  });

  it("leaves a table alone that lacks what the store relies on", async () => {
    const { store, file } = await openStore();
    await store.close();
    const database = openHandle(file);
    const { sql } = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'tidemark_members'").get() ?? {};
    const without = String(sql).replace(/,\s*UNIQUE \(.*\)/u, "");
    expect(without).not.toBe(sql);
    database.exec(`DROP TABLE tidemark_members; ${without}`);
    const opening = openSqliteStore({ file });
    await expect(opening).rejects.toMatchObject({ code: "UNSUPPORTED", operation: "open" });
    await expect(opening).rejects.toThrow("the table tidemark_members has other columns");
  });

  it("says that a directory is no file, and that a file is no folder", async () => {
    const folder = await temporaryFolder();
    await expect(openSqliteStore({ file: folder })).rejects.toThrow("is a directory; name a file in it");
    await writeFile(join(folder, "file"), "");
    const opening = openSqliteStore({ file: join(folder, "file", "offsets.db") });
    await expect(opening).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(opening).rejects.toThrow(`${JSON.stringify(join(folder, "file"))} is not a folder; check the path`);
  });

  it("makes no folder: one that is not there may be a mistyped path", async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "a", "b", "offsets.db");
    for (const opening of [openSqliteStore({ file }), storeUrl.open(`sqlite:${file}`)]) {
      await expect(opening).rejects.toMatchObject({ code: "UNAVAILABLE", operation: "open", retryable: false });
      const missing = `the folder ${JSON.stringify(join(folder, "a", "b"))} does not exist; create it or check the path`;
      await expect(opening).rejects.toThrow(missing);
    }
    expect(await readdir(folder)).toEqual([]);
  });
});

/** Repeats a call until it is refused: a file that is gone is noticed within a tenth of a second. */
async function refusal(call: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      await call();
    } catch (error) {
      return error;
    }
  }
}

// Windows does not let an open file be removed.
describe.skipIf(process.platform === "win32")("a file that is removed while it is open", () => {
  const replaced = {
    code: "UNAVAILABLE",
    retryable: false,
    message: expect.stringContaining("was deleted or replaced"),
  };

  it("is soon not written to any more as if it were there", async () => {
    const { store, file } = await openStore();
    await store.reset([{ key, nextOffset: 1n }]);
    await rm(file);
    expect(await refusal(() => store.reset([{ key, nextOffset: 2n }]))).toMatchObject(replaced);
    await expect(store.fetch([key])).rejects.toMatchObject(replaced);
    await expect(store.reset([{ key, nextOffset: 2n }])).rejects.toMatchObject(replaced);
  });

  it("is missed also when only its write-ahead log is gone, also behind a link to it", async () => {
    const { store, file } = await openStore();
    await symlink(file, `${file}.link`);
    const { store: linked } = await openStore({ file: `${file}.link` });
    await store.reset([{ key, nextOffset: 1n }]);
    // As another copy of SQLite in this process does that closes the file.
    await rm(`${file}-wal`);
    for (const each of [store, linked]) {
      expect(await refusal(() => each.fetch([key]))).toMatchObject(replaced);
      await expect(each.reset([{ key, nextOffset: 2n }])).rejects.toThrow('-wal" was deleted or replaced');
      await each.close();
    }
    const { store: again } = await openStore({ file });
    expect(await again.fetch([key])).toMatchObject([{ record: { nextOffset: 1n } }]);
  });

  it("is missed also when another has taken its place, and found when it is back", async () => {
    const { store, file } = await openStore();
    await mkdir(`${file}.folder`);
    await rename(file, `${file}.folder/moved.db`);
    await writeFile(file, "");
    expect(await refusal(() => store.fetch([key]))).toMatchObject(replaced);
    await rename(`${file}.folder/moved.db`, file);
    expect(await store.reset([{ key, nextOffset: 2n }])).toEqual([{ status: "reset" }]);
  });
});
