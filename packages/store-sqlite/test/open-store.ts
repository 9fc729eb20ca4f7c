import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { onTestFinished } from "vitest";
import type { OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import { openSqliteStore, type SqliteStoreOptions, type SqliteTransaction } from "../src/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A key like any other. */
export const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };

/** A store in a file of the running test's own, closed after it. */
export async function openStore(
  options: Partial<SqliteStoreOptions> = {},
): Promise<{ readonly store: OffsetStore<SqliteTransaction>; readonly file: string }> {
  const file = options.file ?? join(await temporaryFolder(), "offsets.db");
  const store = await openSqliteStore({ ...options, file });
  onTestFinished(() => store.close());
  return { store, file };
}

/** Another handle on a file, as another program has one; closed after the running test. */
export function openHandle(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 });
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  return database;
}

/** All that a listing gives. */
export async function collect(records: AsyncIterable<OffsetRecord>): Promise<OffsetRecord[]> {
  const all: OffsetRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}
