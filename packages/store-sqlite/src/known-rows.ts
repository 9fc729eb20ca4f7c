import type { StatementSync } from "node:sqlite";
import type { Change, KeyMap } from "@tidemark/core/driver";
import { POSITIONS } from "./schema.ts";
import { NOW, type Statements } from "./statements.ts";

/** So many rows are written by one statement at most: more take longer to be matched in it. */
const MAX_ROWS = 20;

/** A change of a position that is there, in one known version. */
interface Update extends Change {
  readonly expected: readonly [string];
  readonly value: string;
}

/** Updates, and the ids of their rows. */
interface KnownUpdates {
  readonly updates: readonly Update[];
  readonly ids: readonly number[];
}

/**
 * Writes over positions whose rows are known by their ids. That is the way of every steady commit: its row is not looked up
 * by three names, and what a flush writes alike is written by one statement. An id only says where to look: it is never
 * given twice, and the version is compared too, so that a row that is gone or written over is not taken for what it was.
 */
export class KnownRows {
  readonly #statements: Statements;
  readonly #ids: KeyMap<number>;
  readonly #several = new Map<number, StatementSync>();
  #one: StatementSync | undefined;

  constructor(statements: Statements, ids: KeyMap<number>) {
    this.#statements = statements;
    this.#ids = ids;
  }

  /** `undefined`: a change is no plain update, or its row is not known. */
  find(changes: readonly Change[]): KnownUpdates | undefined {
    const ids: number[] = [];
    for (const { key, expected, value } of changes) {
      const isUpdate = value !== undefined && typeof expected !== "string" && expected.length === 1;
      const id = isUpdate && expected[0] !== null && "partition" in key ? this.#ids.get(key) : undefined;
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return { updates: changes as readonly Update[], ids };
  }

  /** Writes one row that never expires, in a transaction of its own. False: it holds another version, and is left alone. */
  writeOne({ updates, ids }: KnownUpdates): boolean {
    const { version, value, expected } = updates[0] as Update;
    this.#one ??= this.#statements.of(
      `UPDATE main.${POSITIONS.name} SET version = ?, written_at = ${NOW}, value = ? WHERE id = ? AND version = ?`,
    );
    return this.#one.run(version, value, ids[0] as number, expected[0]).changes === 1;
  }

  /** Writes rows inside a transaction. False: one of them holds another version, or has expired; others may be written. */
  write({ updates, ids }: KnownUpdates, now: number): boolean {
    for (let start = 0; start < updates.length;) {
      const first = updates[start] as Update;
      const { version, expected, reclaimAfter } = first;
      const isMortal = reclaimAfter !== undefined;
      const values: (string | number | null)[] = [version, now];
      if (isMortal) values.push(reclaimAfter === null ? null : now + reclaimAfter);
      let end = start;
      while (end < updates.length && end - start < MAX_ROWS && isAlike(first, updates[end] as Update)) {
        values.push(ids[end] as number, (updates[end] as Update).value);
        end += 1;
      }
      for (let at = start; at < end; at += 1) values.push(ids[at] as number);
      values.push(expected[0]);
      if (isMortal) values.push(now);
      if (this.#updateOf(end - start, isMortal).run(...values).changes !== end - start) return false;
      start = end;
    }
    return true;
  }

  /** The statement for so many rows with one version before and one after. */
  #updateOf(count: number, isMortal: boolean): StatementSync {
    const place = isMortal ? -count : count;
    let update = this.#several.get(place);
    if (update === undefined) {
      const ids = Array.from({ length: count }, () => "?").join(", ");
      update = this.#statements.of(
        `UPDATE main.${POSITIONS.name} SET version = ?, written_at = ?, ${isMortal ? "reclaim_at = ?, " : ""}
           value = CASE id ${"WHEN ? THEN ? ".repeat(count)}END
         WHERE id IN (${ids}) AND version = ?${isMortal ? " AND (reclaim_at IS NULL OR reclaim_at > ?)" : ""}`,
      );
      this.#several.set(place, update);
    }
    return update;
  }
}

function isAlike(one: Update, other: Update): boolean {
  return (
    one.expected[0] === other.expected[0] && one.version === other.version && one.reclaimAfter === other.reclaimAfter
  );
}
