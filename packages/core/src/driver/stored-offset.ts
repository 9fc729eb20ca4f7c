import type { OffsetKey } from "../key.ts";
import type { OffsetRange, OffsetRecord } from "../offset-record.ts";

/** Stands for a time: that of the write itself. The backend stamps it, so that it need not be known beforehand. */
export const AT_WRITE = 0;
/** Stands for a time that is stored and that this store does not know: what would carry it along reads first. */
export const UNKNOWN_TIME = -1;

/** The part of a record that no commit changes. */
export interface StoredClaim {
  readonly epoch: number;
  readonly token: string | undefined;
  readonly owner: string | undefined;
  readonly member: string | undefined;
  readonly claimedAt: number | undefined;
  /** The holder let go of the claim: its token stays, so that letting go can be repeated. */
  readonly released: boolean;
}

/** Where a position was before its last reset. */
export interface StoredReset {
  readonly nextOffset: bigint | undefined;
  readonly reason: string;
  readonly at: number;
}

/** A record with all its fields, the token too; times in milliseconds of the store's clock. */
export interface StoredOffset {
  readonly nextOffset: bigint | undefined;
  readonly metadata: string;
  readonly mark: string | undefined;
  readonly acknowledged: readonly OffsetRange[] | undefined;
  readonly resetFrom: StoredReset | undefined;
  readonly ttl: number | undefined;
  readonly claim: StoredClaim;
  readonly committedAt: number | undefined;
  /** A record that was written where none was counts only if it was written before this: a create that comes late is none. */
  readonly notAfter: number | undefined;
  readonly writtenAt: number;
}

/** Gives what is visible of a stored record at a time: what has expired, or was created too late, is not there (contract 3.5). */
export function visibleAt(stored: StoredOffset | undefined, now: number): StoredOffset | undefined {
  if (stored === undefined) return undefined;
  const { ttl, notAfter, writtenAt } = stored;
  if (ttl !== undefined && writtenAt + ttl <= now) return undefined;
  return notAfter !== undefined && writtenAt >= notAfter ? undefined : stored;
}

/** The record as callers see it. */
export function toOffsetRecord(key: OffsetKey, stored: StoredOffset): OffsetRecord {
  const { nextOffset, metadata, mark, acknowledged, resetFrom, ttl, committedAt, writtenAt } = stored;
  const { epoch, owner, member, claimedAt, released } = stored.claim;
  return {
    consumer: key.consumer,
    topic: key.topic,
    partition: key.partition,
    ...(nextOffset !== undefined && { nextOffset }),
    metadata,
    ...(mark !== undefined && { mark }),
    ...(acknowledged !== undefined && { acknowledged }),
    epoch,
    ...(resetFrom !== undefined && {
      resetFrom: {
        ...(resetFrom.nextOffset !== undefined && { nextOffset: resetFrom.nextOffset }),
        reason: resetFrom.reason,
        at: new Date(resetFrom.at),
      },
    }),
    ...(ttl !== undefined && { ttl }),
    ...(owner !== undefined && !released && { owner }),
    ...(member !== undefined && !released && { member }),
    ...(claimedAt !== undefined && !released && { claimedAt: new Date(claimedAt) }),
    ...(committedAt !== undefined && { committedAt: new Date(committedAt) }),
    updatedAt: new Date(writtenAt),
    ...(ttl !== undefined && { expiresAt: new Date(writtenAt + ttl) }),
  };
}

/** The same record with every time that stood for its write put in. */
export function stamped(stored: StoredOffset, time: number): StoredOffset {
  const at = (given: number | undefined): number | undefined => (given === AT_WRITE ? time : given);
  const { claim, resetFrom } = stored;
  return {
    ...stored,
    claim: claim.claimedAt === AT_WRITE ? { ...claim, claimedAt: time } : claim,
    resetFrom: resetFrom?.at === AT_WRITE ? { ...resetFrom, at: time } : resetFrom,
    committedAt: at(stored.committedAt),
    writtenAt: time,
  };
}

/** The record of a write whose time is not known. In place: no other code has it yet. */
export function untimed(stored: StoredOffset): StoredOffset {
  const own = stored as { -readonly [Field in keyof StoredOffset]: StoredOffset[Field] };
  if (own.committedAt === AT_WRITE) own.committedAt = UNKNOWN_TIME;
  own.notAfter = undefined;
  if (own.claim.claimedAt === AT_WRITE) own.claim = { ...own.claim, claimedAt: UNKNOWN_TIME };
  if (own.resetFrom?.at === AT_WRITE) own.resetFrom = { ...own.resetFrom, at: UNKNOWN_TIME };
  return own;
}
