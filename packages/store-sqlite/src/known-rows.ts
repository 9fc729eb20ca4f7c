import type { StatementSync } from "node:sqlite";
import type { Change } from "@tidemark/core/driver";
import type { RowIds } from "./row-ids.ts";
import { POSITIONS } from "./schema.ts";
import { NOW, type Statements } from "./statements.ts";

/** So many rows are written by one statement at most: more take longer to be told apart in it. */
const MAX_ROWS = 10;

/** A change of a position that is there, and where it is. */
interface KnownRow {
  readonly id: number;
  readonly expected: string;
  readonly change: Change & { readonly value: string };
}

/**
 * Writes over positions whose rows are known by their ids. That is the way of every steady commit: its row is not looked up
 * by three names, and what a flush writes alike is written by one statement.
 */
export class KnownRows {
  readonly #statements: Statements;
  readonly #ids: RowIds;
  readonly #updates = new Map<string, StatementSync>();
  #update: StatementSync | undefined;

  constructor(statements: Statements, ids: RowIds) {
    this.#statements = statements;
    this.#ids = ids;
  }

  /** What the changes write over. `undefined`: a row is not known, or a change is no plain update. */
  of(changes: readonly Change[]): KnownRow[] | undefined {
    const rows: KnownRow[] = [];
    for (const change of changes) {
      const { key, expected: versions, value } = change;
      if (value === undefined || versions === "any" || versions.length !== 1 || !("partition" in key)) return undefined;
      const [expected] = versions;
      const id = this.#ids.get(key);
      if (id === undefined || typeof expected !== "string") return undefined;
      rows.push({ id, expected, change: change as KnownRow["change"] });
    }
    return rows;
  }

  /** Writes one row that never expires, in a transaction of its own. False: it holds another version, and is left alone. */
  updateAtOnce({ id, expected, change: { version, value } }: KnownRow): boolean {
    this.#update ??= this.#statements.of(
      `UPDATE main.${POSITIONS.name} SET version = ?, written_at = ${NOW}, value = ? WHERE id = ? AND version = ?`,
    );
    return this.#update.run(version, value, id, expected).changes === 1;
  }

  /** Writes rows inside a transaction. False: one of them holds another version, or has expired; others may be written. */
  update(rows: readonly KnownRow[], now: number): boolean {
    for (let start = 0; start < rows.length;) {
      const first = rows[start] as KnownRow;
      let end = start + 1;
      while (end < rows.length && end - start < MAX_ROWS && isAlike(first, rows[end] as KnownRow)) end += 1;
      const { version, reclaimAfter } = first.change;
      const values: (string | number | null)[] = [version, now];
      if (reclaimAfter !== undefined) values.push(reclaimAfter === null ? null : now + reclaimAfter);
      for (let at = start; at < end; at += 1)
        values.push((rows[at] as KnownRow).id, (rows[at] as KnownRow).change.value);
      for (let at = start; at < end; at += 1) values.push((rows[at] as KnownRow).id);
      values.push(first.expected);
      if (reclaimAfter !== undefined) values.push(now);
      if (this.#updateOf(end - start, reclaimAfter !== undefined).run(...values).changes !== end - start) return false;
      start = end;
    }
    return true;
  }

  /** The statement for so many rows with one version before and one after. */
  #updateOf(count: number, isMortal: boolean): StatementSync {
    const name = `${count}${isMortal}`;
    let update = this.#updates.get(name);
    if (update === undefined) {
      const ids = Array.from({ length: count }, () => "?").join(", ");
      update = this.#statements.of(
        `UPDATE main.${POSITIONS.name} SET version = ?, written_at = ?, ${isMortal ? "reclaim_at = ?, " : ""}
           value = CASE id ${"WHEN ? THEN ? ".repeat(count)}END
         WHERE id IN (${ids}) AND version = ?${isMortal ? " AND (reclaim_at IS NULL OR reclaim_at > ?)" : ""}`,
      );
      this.#updates.set(name, update);
    }
    return update;
  }
}

function isAlike(one: KnownRow, other: KnownRow): boolean {
  return (
    one.expected === other.expected &&
    one.change.version === other.change.version &&
    one.change.reclaimAfter === other.change.reclaimAfter
  );
}
