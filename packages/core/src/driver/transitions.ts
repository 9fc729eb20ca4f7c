import type { OffsetKey } from "../key.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { ClaimEntry, CommitEntry, CommitRefusal, ExpireEntry, ResetEntry } from "../offset-store.ts";
import { fenced } from "./driver.ts";

/**
 * A record as a backend keeps it: every field there, the token too, times in milliseconds of the store's clock.
 *
 * The functions beside it are the contract of section 3 as plain arithmetic, for backends that can hold a lock or compare
 * and swap (memory, SQLite, S3). A backend with conditional writes of its own (Redis, MongoDB) says the same in its language.
 */
export interface StoredOffset {
  readonly nextOffset: bigint | undefined;
  readonly metadata: string;
  readonly ttl: number | undefined;
  readonly token: string | undefined;
  readonly owner: string | undefined;
  readonly claimedAt: number | undefined;
  readonly committedAt: number | undefined;
  readonly expiresAt: number | undefined;
}

/** What a commit comes to: what to write, or why nothing is written. */
export type CommitTransition =
  | { readonly write: StoredOffset; readonly refusal?: undefined }
  | { readonly write?: undefined; readonly refusal: CommitRefusal };

/** Gives what is visible of a stored record at a time: an expired one is not there (contract 3.5). */
export function visibleAt(stored: StoredOffset | undefined, now: number): StoredOffset | undefined {
  return stored?.expiresAt !== undefined && stored.expiresAt <= now ? undefined : stored;
}

/** The record as callers see it. */
export function toOffsetRecord(key: OffsetKey, stored: StoredOffset): OffsetRecord {
  return {
    consumer: key.consumer,
    topic: key.topic,
    partition: key.partition,
    ...(stored.nextOffset !== undefined && { nextOffset: stored.nextOffset }),
    metadata: stored.metadata,
    ...(stored.ttl !== undefined && { ttl: stored.ttl }),
    ...(stored.owner !== undefined && { owner: stored.owner }),
    ...(stored.claimedAt !== undefined && { claimedAt: new Date(stored.claimedAt) }),
    ...(stored.committedAt !== undefined && { committedAt: new Date(stored.committedAt) }),
    ...(stored.expiresAt !== undefined && { expiresAt: new Date(stored.expiresAt) }),
  };
}

/** What a claim writes. `stored` is what is visible now. */
export function claimTransition(stored: StoredOffset | undefined, entry: ClaimEntry, now: number): StoredOffset {
  return {
    nextOffset: stored?.nextOffset,
    metadata: stored?.metadata ?? "",
    ...lifetime(stored, entry.ttl, now),
    token: entry.token,
    owner: entry.owner,
    // A repeated claim is the same claim (contract 3.4): it keeps its first time.
    claimedAt: stored?.token === entry.token ? stored.claimedAt : now,
    committedAt: stored?.committedAt,
  };
}

/** What a commit comes to. `stored` is what is visible now. */
export function commitTransition(
  key: OffsetKey,
  stored: StoredOffset | undefined,
  entry: CommitEntry,
  now: number,
): CommitTransition {
  // The claim's token from now on (contract 3.2e); a repeated entry finds it there already.
  const token = entry.nextToken ?? entry.token;
  if (stored === undefined) {
    if (entry.recreate !== true) return { refusal: fenced("absent") };
    return {
      write: {
        nextOffset: entry.nextOffset,
        metadata: entry.metadata ?? "",
        ...lifetime(undefined, entry.ttl, now),
        token,
        owner: entry.owner,
        claimedAt: now,
        committedAt: entry.nextOffset === undefined ? undefined : now,
      },
    };
  }
  if (stored.token === undefined) return { refusal: fenced("reset") };
  if (stored.token !== entry.token && stored.token !== token) return { refusal: fenced("superseded", stored.owner) };
  const { nextOffset } = entry;
  if (nextOffset === undefined) return { write: { ...stored, ...lifetime(stored, entry.ttl, now), token } };
  const goesBack = stored.nextOffset !== undefined && nextOffset < stored.nextOffset;
  if (goesBack && entry.rewindFrom !== stored.nextOffset) {
    return { refusal: { status: "behind", record: toOffsetRecord(key, stored) } };
  }
  return {
    write: {
      ...stored,
      ...lifetime(stored, entry.ttl, now),
      token,
      nextOffset,
      metadata: entry.metadata ?? "",
      committedAt: now,
    },
  };
}

/** What a reset writes. `stored` is what is visible now. */
export function resetTransition(stored: StoredOffset | undefined, entry: ResetEntry, now: number): StoredOffset {
  return {
    nextOffset: entry.nextOffset,
    metadata: entry.metadata ?? "",
    ...lifetime(stored, entry.ttl, now),
    token: undefined,
    owner: undefined,
    claimedAt: undefined,
    committedAt: now,
  };
}

/** What a new time to live makes of a record. */
export function expireTransition(stored: StoredOffset, entry: ExpireEntry, now: number): StoredOffset {
  return { ...stored, ...lifetime(stored, entry.ttl, now) };
}

function lifetime(
  stored: StoredOffset | undefined,
  ttl: number | null | undefined,
  now: number,
): { ttl: number | undefined; expiresAt: number | undefined } {
  const effective = ttl === undefined ? stored?.ttl : (ttl ?? undefined);
  return { ttl: effective, expiresAt: effective === undefined ? undefined : now + effective };
}
