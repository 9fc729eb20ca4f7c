import { MEMBERS, POSITIONS } from "./schema.ts";
import { NOW, type Statements } from "./statements.ts";

const EVERY_MS = 100;
/** How many rows are looked at each time: no write pays for a great many. */
const ROWS = 200;

/**
 * Takes back the space of what has expired, of every namespace: now and then a part of each table, and then the next part.
 * There is no index of these times: to keep it would cost every commit of a position with a TTL more than all else.
 */
export class ExpiredRows {
  readonly #statements: Statements;
  readonly #parts = [POSITIONS, MEMBERS].map(({ name }) => ({ name, after: 0 }));
  #doneAt = 0;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** After a write, which is neither held up for long nor undone by it. */
  takeBack(): void {
    const now = performance.now();
    if (now - this.#doneAt < EVERY_MS) return;
    this.#doneAt = now;
    try {
      for (const part of this.#parts) this.#takeBack(part);
    } catch {
      // The write has its answer. What could not be taken back now can be later.
    }
  }

  #takeBack(part: { readonly name: string; after: number }): void {
    const { name, after } = part;
    const last = this.#statements
      .of(`SELECT max(id) AS id FROM (SELECT id FROM main.${name} WHERE id > ? ORDER BY id LIMIT ${ROWS})`)
      .get(after)?.["id"] as number | null;
    part.after = last ?? 0;
    if (last === null) return;
    this.#statements.of(`DELETE FROM main.${name} WHERE id > ? AND id <= ? AND reclaim_at <= ${NOW}`).run(after, last);
  }
}
