/** What Tidemark asks of a prepared statement; `node:sqlite` and better-sqlite3 have it. */
export interface SqliteStatement {
  /** The first row, or `undefined`. */
  get(...parameters: (string | number | null)[]): unknown;
  run(...parameters: (string | number | null)[]): unknown;
  /** `node:sqlite` only. */
  setReturnArrays?(enabled: boolean): void;
}

/**
 * The caller's own open handle to the store's database file, with a transaction begun on it: a `DatabaseSync` of
 * `node:sqlite` or a `Database` of better-sqlite3. A commit writes the position on it and does nothing else with it.
 */
export interface SqliteTransaction {
  prepare(sql: string): SqliteStatement;
  /** Whether a transaction is open, as `node:sqlite` calls it. */
  readonly isTransaction?: boolean;
  /** Whether a transaction is open, as better-sqlite3 calls it. */
  readonly inTransaction?: boolean;
}

/**
 * Checks a caller's handle before anything is written on it.
 *
 * @throws `TypeError` if it is no handle, has no open transaction, or has another file open than the store.
 */
export function validateTransaction(transaction: SqliteTransaction, isSameFile: (file: string) => boolean): void {
  if (typeof transaction !== "object" || transaction === null || typeof transaction.prepare !== "function") {
    throw new TypeError("transaction must be an open DatabaseSync of node:sqlite or a Database of better-sqlite3");
  }
  if (transaction.isTransaction !== true && transaction.inTransaction !== true) {
    throw new TypeError("transaction has no transaction open: run BEGIN IMMEDIATE on it before the commit");
  }
  const statement = transaction.prepare("SELECT file FROM pragma_database_list WHERE seq = 0");
  statement.setReturnArrays?.(false);
  const row = statement.get() as { readonly file: string | null } | undefined;
  const file = row?.file ?? "";
  if (!isSameFile(file)) {
    throw new TypeError(
      `transaction is on ${file === "" ? "a database in memory" : JSON.stringify(file)}, not on the store's file: ` +
        "open the handle on the file that the store was opened with",
    );
  }
}
