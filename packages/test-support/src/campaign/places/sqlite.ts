import { DatabaseSync } from "node:sqlite";
import type { LogRecord } from "@tidemark/core";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { byPartition, type OpenedPlace, type Place } from "./place.ts";

// Whoever waits for a lock in this way waits with its whole process.
const LOCK_TIMEOUT_MS = 1_000;

/** Makes the table that transactions write results to. */
export function makeSqliteSink(file: string): void {
  const database = new DatabaseSync(file);
  database.exec("CREATE TABLE results (consumer TEXT, number INTEGER, position INTEGER) STRICT");
  database.exec("CREATE INDEX results_of ON results (consumer)");
  database.close();
}

/** Positions and results in tables of one file, which has the log as well. */
export async function openSqlitePlace(
  { file }: Extract<Place, { kind: "sqlite" }>,
  timeout: number,
): Promise<OpenedPlace> {
  const store = await openSqliteStore({ file, synchronous: "normal", timeout });
  let opened: DatabaseSync | undefined;
  const database = (): DatabaseSync => {
    if (opened !== undefined) return opened;
    opened = new DatabaseSync(file, { timeout: LOCK_TIMEOUT_MS });
    opened.exec("PRAGMA synchronous = NORMAL");
    return opened;
  };
  // No identity of its own making: a record that is written twice is there twice.
  const note = (handle: DatabaseSync, consumer: string, { partition, offset }: LogRecord): unknown =>
    handle.prepare("INSERT INTO results VALUES (?, ?, ?)").run(consumer, partition, offset);
  return {
    store,
    // The handle goes with the transaction: nothing may wait in it.
    note: (handle, consumer, record) => void note(handle as DatabaseSync, consumer, record),
    async transact(consumer, record, { writes, commit }) {
      const handle = database();
      handle.exec("BEGIN IMMEDIATE");
      try {
        if (writes) note(handle, consumer, record);
        await commit(handle);
        handle.exec("COMMIT");
      } catch (error) {
        if (handle.isTransaction) handle.exec("ROLLBACK");
        throw error;
      }
    },
    async sink(consumer, partitions) {
      const rows = database()
        .prepare("SELECT number, position FROM results WHERE consumer = ? ORDER BY rowid")
        .all(consumer);
      return byPartition(
        partitions,
        rows.map((row) => ({ partition: Number(row["number"]), offset: Number(row["position"]) })),
      );
    },
    async close() {
      opened?.close();
      await store.close();
    },
  };
}
