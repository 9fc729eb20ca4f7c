import { DatabaseSync } from "node:sqlite";

/**
 * The caller's own open `DatabaseSync` on the store's file, with a transaction begun on it. A commit writes the position
 * on it and does nothing else with it.
 *
 * A handle of another library will not do, also one that looks alike: two copies of SQLite in one process undo each
 * other's file locks, and the one that closes first takes the write-ahead log from under the other.
 */
export type SqliteTransaction = DatabaseSync;

/**
 * Checks a caller's handle before anything is written on it.
 *
 * @throws `TypeError` if it is no such handle, has no open transaction, or has another file open than the store.
 */
export function validateTransaction(transaction: SqliteTransaction, isSameFile: (file: string) => boolean): void {
  if (!(transaction instanceof DatabaseSync)) {
    throw new TypeError(
      "transaction must be an open DatabaseSync of node:sqlite; a handle of another SQLite library (better-sqlite3) in " +
        "one process with the store breaks the locks of both",
    );
  }
  if (!transaction.isTransaction) {
    throw new TypeError("transaction has no transaction open: run BEGIN IMMEDIATE on it before the commit");
  }
  const file = transaction.location() ?? "";
  if (!isSameFile(file)) {
    throw new TypeError(
      `transaction is on ${file === "" ? "a database in memory" : JSON.stringify(file)}, not on the store's file: ` +
        "open the handle on the file that the store was opened with",
    );
  }
}
