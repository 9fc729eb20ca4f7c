import { DatabaseSync } from "node:sqlite";
import type { Connection } from "./connection.ts";
import { EntryRows } from "./entry-rows.ts";
import { Statements } from "./statements.ts";

/**
 * The caller's own open `DatabaseSync` on the store's file, with a transaction begun on it. A commit reads and writes the
 * position on it and does nothing else with it.
 *
 * A handle of another library will not do, also one that looks alike: two copies of SQLite in one process undo each
 * other's file locks, and the one that closes first takes the write-ahead log from under the other.
 */
export type SqliteTransaction = DatabaseSync;

/** What reads and writes on a caller's handle. */
interface TransactionRows {
  readonly statements: Statements;
  readonly rows: EntryRows;
}

/** The callers' handles that the store has worked on: nothing is prepared twice on one. */
export class TransactionHandles {
  readonly #connection: Connection;
  readonly #namespace: string;
  readonly #prepared = new WeakMap<DatabaseSync, TransactionRows>();

  constructor(connection: Connection, namespace: string) {
    this.#connection = connection;
    this.#namespace = namespace;
  }

  /** @throws `TypeError` if it is no such handle, has no open transaction, or has another file open than the store. */
  rowsOn(transaction: SqliteTransaction): TransactionRows {
    if (!(transaction instanceof DatabaseSync)) {
      throw new TypeError(
        "transaction must be an open DatabaseSync of node:sqlite; a handle of another SQLite library (better-sqlite3) in " +
          "one process with the store breaks the locks of both",
      );
    }
    if (!transaction.isTransaction) {
      throw new TypeError("transaction has no transaction open: run BEGIN IMMEDIATE on it before the commit");
    }
    const known = this.#prepared.get(transaction);
    // A handle that was closed and opened again has lost its statements, and may have another file behind its path.
    if (known?.statements.areUsable() === true) return known;
    const file = transaction.location() ?? "";
    if (!this.#connection.isSameFile(file)) {
      throw new TypeError(
        `transaction is on ${file === "" ? "a database in memory" : JSON.stringify(file)}, not on the store's file: ` +
          "open the handle on the file that the store was opened with",
      );
    }
    const statements = new Statements(transaction);
    const prepared = { statements, rows: new EntryRows(statements, this.#namespace) };
    this.#prepared.set(transaction, prepared);
    return prepared;
  }
}
