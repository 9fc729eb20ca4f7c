import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { OffsetKey } from "@tidemark/core";
import type { StoredOffset } from "@tidemark/core/driver";
import { TABLE } from "./schema.ts";
import { readRow, rowValues, STORED_COLUMNS, type StoredRow } from "./stored-row.ts";

/** SQLite's clock in whole milliseconds: one for all processes of the host (contract 3.5). */
export const NOW = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";

const SELECT_NOW = `SELECT CAST(${NOW} AS TEXT) AS now`;

const SELECT = `SELECT ${STORED_COLUMNS} FROM main.${TABLE}
  WHERE namespace = ? AND consumer = ? AND topic = ? AND partition = ?`;

// Positions are bound as text and cast, as they are read: no handle must be in a bigint mode.
const UPSERT = `INSERT INTO main.${TABLE} (namespace, consumer, topic, partition, version, next_offset, metadata, ttl,
    token, owner, claimed_at, committed_at, expires_at)
  VALUES (?, ?, ?, ?, ?, CAST(? AS INTEGER), ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (namespace, consumer, topic, partition) DO UPDATE SET
    version = excluded.version, next_offset = excluded.next_offset, metadata = excluded.metadata, ttl = excluded.ttl,
    token = excluded.token, owner = excluded.owner, claimed_at = excluded.claimed_at,
    committed_at = excluded.committed_at, expires_at = excluded.expires_at`;

/** Reads and writes single records, on the store's own handle or on a caller's. */
export class RecordStatements {
  readonly #namespace: string;
  readonly #now: StatementSync;
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;

  constructor(handle: DatabaseSync, namespace: string) {
    this.#namespace = namespace;
    this.#now = prepare(handle, SELECT_NOW);
    this.#select = prepare(handle, SELECT);
    this.#upsert = prepare(handle, UPSERT);
  }

  /** Milliseconds since the epoch by SQLite's clock. */
  now(): number {
    const row = this.#now.get() as { readonly now: string | null } | undefined;
    if (typeof row?.now !== "string") {
      throw new TypeError("this handle's SQLite has no clock in milliseconds: 3.42 or later is needed");
    }
    return Number(row.now);
  }

  /**
   * What is stored under a key, expired or not.
   *
   * @throws `UnreadableRowError` if it is not a record of ours.
   */
  read(key: OffsetKey): StoredOffset | undefined {
    const row = this.#select.get(this.#namespace, key.consumer, key.topic, key.partition) as StoredRow | undefined;
    return row === undefined ? undefined : readRow(row);
  }

  /** Writes a record; only what {@link read} gave may be written over. */
  write(key: OffsetKey, stored: StoredOffset): void {
    this.#upsert.run(...rowValues(this.#namespace, key, stored));
  }
}

function prepare(handle: DatabaseSync, sql: string): StatementSync {
  const statement = handle.prepare(sql);
  // A caller may have made arrays the default of the handle.
  statement.setReturnArrays(false);
  return statement;
}
