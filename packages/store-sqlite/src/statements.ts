import type { DatabaseSync, StatementSync } from "node:sqlite";

/** SQLite's clock in whole milliseconds: one for all processes of the host (contract 3.5). */
export const NOW = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";

/** The prepared statements of one handle: the store's own, or a caller's. */
export class Statements {
  readonly #handle: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(handle: DatabaseSync) {
    this.#handle = handle;
  }

  /** Prepared at its first use. Its parameters are plain question marks: Node 22.18 cannot bind numbered ones. */
  of(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#handle.prepare(sql);
    // A caller may have made other forms the default of the handle.
    statement.setReturnArrays(false);
    statement.setReadBigInts(false);
    this.#prepared.set(sql, statement);
    return statement;
  }

  /** Milliseconds since the epoch by SQLite's clock. */
  now(): number {
    return this.of(`SELECT ${NOW} AS now`).get()?.["now"] as number;
  }

  /** Whether the handle has not been closed since. */
  areUsable(): boolean {
    try {
      return this.now() > 0;
    } catch {
      return false;
    }
  }
}
