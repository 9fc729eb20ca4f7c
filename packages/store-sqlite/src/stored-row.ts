import type { OffsetKey } from "@tidemark/core";
import { MAX_TTL_MS, type StoredOffset } from "@tidemark/core/driver";

/** The version of the stored form that this package writes and reads. */
export const STORED_VERSION = 1;

/** The latest moment that a `Date` holds, in milliseconds. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/**
 * A row as the statements select it. Integers come as decimal text: a JavaScript number would round a position beyond
 * 2^53, and so a caller's handle need not be in its bigint mode.
 */
export interface StoredRow {
  readonly version: string;
  readonly next_offset: string | null;
  readonly metadata: string;
  readonly ttl: string | null;
  readonly token: string | null;
  readonly owner: string | null;
  readonly claimed_at: string | null;
  readonly committed_at: string | null;
  readonly expires_at: string | null;
}

/** The columns of a {@link StoredRow}, as a SELECT lists them. */
export const STORED_COLUMNS = `CAST(version AS TEXT) AS version, CAST(next_offset AS TEXT) AS next_offset, metadata,
  CAST(ttl AS TEXT) AS ttl, token, owner, CAST(claimed_at AS TEXT) AS claimed_at,
  CAST(committed_at AS TEXT) AS committed_at, CAST(expires_at AS TEXT) AS expires_at`;

/** What is stored is not a record of ours. It is left as it is. */
export class UnreadableRowError extends Error {
  override readonly name = "UnreadableRowError";
}

/**
 * Reads a row.
 *
 * @throws `UnreadableRowError` if somebody else wrote it, or a newer version did.
 */
export function readRow(row: StoredRow): StoredOffset {
  if (row.version !== String(STORED_VERSION)) {
    throw unreadable(`its version is ${row.version}, and this release reads version ${STORED_VERSION}`);
  }
  const nextOffset = row.next_offset === null ? undefined : BigInt(row.next_offset);
  if (nextOffset !== undefined && nextOffset < 0n) throw unreadable(`its next_offset is negative (${nextOffset})`);
  return {
    nextOffset,
    metadata: row.metadata,
    ttl: integer("ttl", row.ttl, 1, MAX_TTL_MS),
    token: row.token ?? undefined,
    owner: row.owner ?? undefined,
    claimedAt: integer("claimed_at", row.claimed_at, 0, MAX_TIME_MS),
    committedAt: integer("committed_at", row.committed_at, 0, MAX_TIME_MS),
    expiresAt: integer("expires_at", row.expires_at, 0, MAX_TIME_MS),
  };
}

/** The values of a row in the order in which the INSERT of `record-statements.ts` takes them. */
export function rowValues(namespace: string, key: OffsetKey, stored: StoredOffset): (string | number | null)[] {
  return [
    namespace,
    key.consumer,
    key.topic,
    key.partition,
    STORED_VERSION,
    stored.nextOffset === undefined ? null : String(stored.nextOffset),
    stored.metadata,
    stored.ttl ?? null,
    stored.token ?? null,
    stored.owner ?? null,
    stored.claimedAt ?? null,
    stored.committedAt ?? null,
    stored.expiresAt ?? null,
  ];
}

function integer(column: string, value: string | null, least: number, most: number): number | undefined {
  if (value === null) return undefined;
  const number = Number(value);
  if (!(number >= least && number <= most)) throw unreadable(`its ${column} is ${value}`);
  return number;
}

function unreadable(why: string): UnreadableRowError {
  return new UnreadableRowError(
    `the stored row is not a record of this store: ${why}; it is left as it is: repair it or delete the key`,
  );
}
