import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { OffsetFilter, OffsetKey } from "@tidemark/core";
import { type DriverListing, toOffsetRecord, visibleAt } from "@tidemark/core/driver";
import { NOW } from "./record-statements.ts";
import { TABLE } from "./schema.ts";
import { readRow, STORED_COLUMNS, type StoredRow } from "./stored-row.ts";

/** How many rows one page of a listing or one step of a delete looks at. */
const PAGE_ROWS = 1_000;
/** How many expired rows one write removes at most: a write never pays for a great many of other people's. */
const SWEEP_ROWS = 100;

/** The partition goes by another name than its column: ORDER BY would sort by the text of the same name. */
interface KeyRow {
  readonly consumer: string;
  readonly topic: string;
  readonly partition_text: string;
}

/** One page of a listing. */
export interface ListingPage {
  readonly listings: readonly DriverListing[];
  /** The last key looked at: where the next page goes on. `undefined`: there is no more. */
  readonly last: OffsetKey | undefined;
}

/** Reads and removes many records at a time, on the store's own handle. */
export class RecordSelection {
  readonly #database: DatabaseSync;
  readonly #namespace: string;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, namespace: string) {
    this.#database = database;
    this.#namespace = namespace;
  }

  /** A page of what matches, after a key. By the key's place, not by a count: others write meanwhile. */
  page(filter: OffsetFilter, after: OffsetKey | undefined): ListingPage {
    const { where, values } = this.#where(filter);
    // In the order of what the filter leaves open, so that SQLite walks an index from where the last page ended.
    const open = (["consumer", "topic", "partition"] as const).filter((column) => filter[column] === undefined);
    const order = open.length === 0 ? "" : `ORDER BY ${open.join(", ")}`;
    let follows = "";
    if (after !== undefined && open.length > 0) {
      follows = `AND (${open.join(", ")}) > (${open.map(() => "?").join(", ")})`;
      values.push(...open.map((column) => after[column]));
    }
    const rows = this.#prepare(
      `SELECT consumer, topic, CAST(partition AS TEXT) AS partition_text, ${STORED_COLUMNS}, CAST(${NOW} AS TEXT) AS now
       FROM ${TABLE} WHERE ${where} ${follows} ${order} LIMIT ${PAGE_ROWS}`,
    ).all(...values) as unknown as (KeyRow & StoredRow & { readonly now: string })[];
    const listings: DriverListing[] = [];
    for (const row of rows) {
      const key = toKey(row);
      try {
        const visible = visibleAt(readRow(row), Number(row.now));
        if (visible !== undefined) listings.push({ status: "found", record: toOffsetRecord(key, visible) });
      } catch (error) {
        listings.push({ status: "failed", key, error });
      }
    }
    const lastRow = rows.length < PAGE_ROWS ? undefined : rows.at(-1);
    return { listings, last: lastRow && toKey(lastRow) };
  }

  /** Removes one record; tells whether there was one that anybody could see. */
  deleteKey(key: OffsetKey): boolean {
    const row = this.#prepare(
      `DELETE FROM ${TABLE} WHERE namespace = ? AND consumer = ? AND topic = ? AND partition = ?
       RETURNING (version <> 1 OR expires_at IS NULL OR expires_at > ${NOW}) AS visible`,
    ).get(this.#namespace, key.consumer, key.topic, key.partition);
    return row?.["visible"] === 1;
  }

  /** Removes up to a page of what matches. Expired records go too, but nobody could see them: they are not told of. */
  deleteMatching(filter: OffsetFilter): { readonly keys: OffsetKey[]; readonly isLast: boolean } {
    const { where, values } = this.#where(filter);
    const rows = this.#prepare(
      `DELETE FROM ${TABLE} WHERE (namespace, consumer, topic, partition) IN (
         SELECT namespace, consumer, topic, partition FROM ${TABLE} WHERE ${where} LIMIT ${PAGE_ROWS})
       RETURNING consumer, topic, CAST(partition AS TEXT) AS partition_text,
         (version <> 1 OR expires_at IS NULL OR expires_at > ${NOW}) AS visible`,
    ).all(...values) as unknown as (KeyRow & { readonly visible: number })[];
    return { keys: rows.filter(({ visible }) => visible === 1).map(toKey), isLast: rows.length < PAGE_ROWS };
  }

  /** Removes up to a page of this namespace's expired records and tells which. The plus keeps to the index of expiry. */
  deleteExpired(): { readonly keys: OffsetKey[]; readonly isLast: boolean } {
    const rows = this.#prepare(
      `DELETE FROM ${TABLE} WHERE (namespace, consumer, topic, partition) IN (
         SELECT namespace, consumer, topic, partition FROM ${TABLE}
         WHERE +namespace = ? AND expires_at <= ${NOW} AND version = 1 LIMIT ${PAGE_ROWS})
       RETURNING consumer, topic, CAST(partition AS TEXT) AS partition_text`,
    ).all(this.#namespace) as unknown as KeyRow[];
    return { keys: rows.map(toKey), isLast: rows.length < PAGE_ROWS };
  }

  /**
   * Removes some of what has expired, of every namespace. In the transaction of the write that it goes with: a record
   * that was renewed before is not among it (contract 3.6).
   */
  sweep(): void {
    this.#prepare(
      `DELETE FROM ${TABLE} WHERE (namespace, consumer, topic, partition) IN (
         SELECT namespace, consumer, topic, partition FROM ${TABLE}
         WHERE expires_at <= ${NOW} AND version = 1 ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
    ).run();
  }

  #where({ consumer, topic, partition }: OffsetFilter): { where: string; values: SQLInputValue[] } {
    const conditions = ["namespace = ?"];
    const values: SQLInputValue[] = [this.#namespace];
    for (const [column, value] of Object.entries({ consumer, topic, partition })) {
      if (value === undefined) continue;
      conditions.push(`${column} = ?`);
      values.push(value);
    }
    return { where: conditions.join(" AND "), values };
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function toKey({ consumer, topic, partition_text }: KeyRow): OffsetKey {
  return { consumer, topic, partition: Number(partition_text) };
}
