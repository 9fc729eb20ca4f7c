import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, it } from "vitest";
import type { OffsetKey } from "@tidemark/core";
import {
  type OpenedStore,
  type OpenStoreOptions,
  type StoreHarness,
  testOffsetStore,
  testOffsetStoreDriver,
} from "@tidemark/core/conformance";
import { openSqliteStore, type SqliteStoreOptions, type SqliteTransaction } from "../src/index.ts";

// One file for all cases, like all consumers of one host: they keep apart by namespace.
const folder = await mkdtemp(join(tmpdir(), "tidemark-sqlite-conformance-"));
const file = join(folder, "offsets.db");
afterAll(() => rm(folder, { recursive: true, force: true }));

const ROW = "namespace = ? AND consumer = ? AND topic = ? AND partition = ?";

async function open(
  { namespace, timeout }: OpenStoreOptions,
  synchronous: SqliteStoreOptions["synchronous"],
): Promise<OpenedStore<SqliteTransaction>> {
  const store = await openSqliteStore({ file, namespace, timeout, synchronous });
  // The backend itself, past the store.
  const database = new DatabaseSync(file, { timeout: 5_000 });
  const handles = new Set<DatabaseSync>([database]);
  const close = async (): Promise<void> => {
    await store.close();
    for (const handle of handles) handle.close();
    handles.clear();
  };
  const rowOf = (key: OffsetKey) => [namespace, key.consumer, key.topic, key.partition] as const;
  return {
    store,
    close,
    async reopen() {
      await close();
      return open({ namespace, ...(timeout !== undefined && { timeout }) }, synchronous);
    },
    async peek(key) {
      return database.prepare(`SELECT 1 FROM tidemark_offsets WHERE ${ROW}`).get(...rowOf(key)) !== undefined;
    },
    async corrupt(key) {
      database
        .prepare(`UPDATE tidemark_offsets SET version = 'by hand', value = '{"v":1,"nextOffset":"-7"}' WHERE ${ROW}`)
        .run(...rowOf(key));
    },
    async beginTransaction() {
      const transaction = new DatabaseSync(file, { timeout: 5_000 });
      handles.add(transaction);
      transaction.exec("BEGIN IMMEDIATE");
      const end = async (statement: string): Promise<void> => {
        transaction.exec(statement);
        transaction.close();
        handles.delete(transaction);
      };
      return { transaction, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
    },
  };
}

for (const synchronous of ["full", "normal"] as const) {
  const harness: StoreHarness<SqliteTransaction> = {
    name: `sqlite store on SQLite ${process.versions["sqlite"]}, synchronous ${synchronous}`,
    connection: "embedded",
    open: (options) => open(options, synchronous),
  };
  testOffsetStoreDriver({ describe, it }, harness);
  testOffsetStore({ describe, it }, harness);
}
