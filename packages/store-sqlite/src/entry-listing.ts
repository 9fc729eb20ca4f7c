import type { DriverKey, ListFilter, ListPage } from "@tidemark/core/driver";
import { MEMBERS, POSITIONS } from "./schema.ts";
import type { Statements } from "./statements.ts";

/** How many rows one page looks at: so few that the event loop is not held up, however large they are. */
const PAGE_ROWS = 200;

interface Row {
  readonly consumer: string;
  readonly topic: string;
  readonly partition?: number;
  readonly member?: string;
  readonly version: string;
  readonly written_at: number;
  readonly reclaim_at: number | null;
  readonly value: string;
}

/**
 * One listing, page by page. A page continues behind the last row of the one before, by that row's place in an index and not
 * by a count: others write meanwhile.
 */
export class EntryListing {
  readonly #statements: Statements;
  readonly #filter: ListFilter;
  readonly #select: string;
  /** What narrows the index down. */
  readonly #given: readonly string[];
  /** The columns that are left open: in their order the index is walked through. */
  readonly #open: readonly (keyof Row)[];
  #last: Row | undefined;
  #isOver = false;

  constructor(statements: Statements, namespace: string, filter: ListFilter) {
    this.#statements = statements;
    this.#filter = filter;
    const { name, item } = filter.kind === "member" ? MEMBERS : POSITIONS;
    const isByTopic = filter.consumer === undefined && filter.topic !== undefined;
    const index = isByTopic ? (["topic", "consumer"] as const) : (["consumer", "topic"] as const);
    const given = index.filter((column) => filter[column] !== undefined);
    this.#given = [namespace, ...given.map((column) => filter[column] ?? "")];
    this.#open = [...index.slice(given.length), item];
    this.#select = `SELECT consumer, topic, ${item}, version, written_at, reclaim_at, value FROM main.${name}
      WHERE ${["namespace", ...given].map((column) => `${column} = ?`).join(" AND ")}`;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  next(): ListPage {
    const now = this.#statements.now();
    const last = this.#last;
    const open = this.#open.join(", ");
    const follows = last === undefined ? "" : `AND (${open}) > (${this.#open.map(() => "?").join(", ")})`;
    const rows = this.#statements
      .of(`${this.#select} ${follows} ORDER BY ${open} LIMIT ${PAGE_ROWS}`)
      .all(...this.#given, ...(last === undefined ? [] : this.#open.map((column) => last[column] ?? null)));
    return { now, entries: this.#take(rows as unknown as Row[], now) };
  }

  #take(rows: readonly Row[], now: number): ListPage["entries"] {
    this.#last = rows.at(-1);
    this.#isOver = rows.length < PAGE_ROWS;
    const { partition, reclaimable } = this.#filter;
    return rows
      .filter((row) => partition === undefined || row.partition === partition)
      .filter((row) => reclaimable !== true || (row.reclaim_at !== null && row.reclaim_at <= now))
      .map((row) => ({
        key: keyOf(row),
        entry: { version: row.version, value: row.value, writtenAt: row.written_at },
      }));
  }
}

function keyOf({ consumer, topic, partition, member = "" }: Row): DriverKey {
  return partition === undefined ? { consumer, topic, member } : { consumer, topic, partition };
}
