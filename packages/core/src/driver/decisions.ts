import type { OffsetKey } from "../key.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type {
  ClaimEntry,
  ClaimOutcome,
  CommitEntry,
  CommitOutcome,
  CommitRefusal,
  ExpireEntry,
  ExpireOutcome,
  FencedReason,
  FetchOutcome,
  ResetEntry,
  ResetOutcome,
  TransactEntry,
} from "../offset-store.ts";
import { AT_WRITE, type StoredClaim, type StoredOffset, toOffsetRecord } from "./stored-offset.ts";

/** What a decision goes by. */
export interface Found {
  readonly key: OffsetKey;
  /** The visible record. `undefined`: there is none. */
  readonly stored: StoredOffset | undefined;
  /** The backend's clock. `undefined`: the record is remembered and was not read in this call. */
  readonly now: number | undefined;
  /** Whether the commit is part of a caller's transaction. */
  readonly isInTransaction: boolean;
}

/**
 * What an entry comes to: the record to write and the answer once it is written, or the answer alone. `undefined`: it takes
 * what only a read can show.
 */
export type Decision<Outcome> = { readonly write?: StoredOffset; readonly outcome: Outcome } | undefined;

/** Decides one entry of a verb (contract, section 3). */
export type Decide<Entry, Outcome> = (entry: Entry, found: Found) => Decision<Outcome>;

const COMMITTED = Object.freeze({ status: "committed" as const });

/** A claim of which more is known than its caller said. */
export interface JudgedClaimEntry extends ClaimEntry {
  /** The record, as it was, whose holder was found silent. */
  readonly silent?: Pick<OffsetRecord, "epoch" | "updatedAt">;
}

/** A claim: the newest one wins, unless it wants idle keys alone, and finds what is stored (contract 3.1b, 8.3). */
export const decideClaim: Decide<JudgedClaimEntry, ClaimOutcome> = (entry, { key, stored, now }) => {
  if (now === undefined) return undefined;
  const { token, owner, member } = entry;
  if (entry.ifIdleFor !== undefined && stored !== undefined && isHeldAgainst(entry, stored)) {
    return { outcome: { status: "held", record: toOffsetRecord(key, stored) } };
  }
  // The same token again is the same claim: it keeps time and epoch (contract 3.4a).
  const isSame = stored?.claim.token === token && !stored.claim.released;
  const epoch = isSame ? stored.claim.epoch : nextEpoch(stored, now);
  const claimedAt = isSame ? stored.claim.claimedAt : AT_WRITE;
  return {
    write: {
      ...(stored ?? EMPTY),
      ttl: ttlOf(entry.ttl, stored),
      claim: { epoch, token, owner, member, claimedAt, released: false },
      notAfter: undefined,
      writtenAt: AT_WRITE,
    },
    outcome: { status: "claimed", epoch, record: stored && toOffsetRecord(key, stored) },
  };
};

/** A commit, a renewal or a release (contract 3.2). */
export const decideCommit: Decide<CommitEntry, CommitOutcome> = (entry, found) => {
  const { stored, now } = found;
  if (stored === undefined) {
    if (now === undefined) return undefined;
    return entry.recreate === true ? recreated(entry, now) : { outcome: fenced("absent") };
  }
  const { nextOffset } = entry;
  const { claim } = stored;
  if (claim.token !== entry.token) {
    if (claim.token === undefined) return { outcome: fenced("reset") };
    return { outcome: claim.released ? fenced("released") : fenced("superseded", claim.owner) };
  }
  const position = stored.nextOffset;
  if (entry.epoch !== undefined && entry.epoch !== claim.epoch) {
    // The answer to the rewind was lost: it is stored (contract 3.4b).
    if (entry.rewind === true && nextOffset === position && claim.released === (entry.release === true)) {
      return renewed(entry, stored);
    }
    return { outcome: claim.released ? fenced("released") : fenced("superseded", claim.owner) };
  }
  if (claim.released) {
    const isRepeated = entry.release === true && (nextOffset === undefined || nextOffset === position);
    return isRepeated ? renewed(entry, stored) : { outcome: fenced("released") };
  }
  if (nextOffset === undefined) return renewed(entry, stored);
  if (entry.rewind === true) {
    if (now === undefined) return undefined;
    const write = moved(entry, stored, { ...claim, epoch: nextEpoch(stored, now) });
    return { write, outcome: committed(entry, write.claim, write.ttl) };
  }
  // Inside a transaction the same position again would be a second result for the same records.
  if (position !== undefined && (found.isInTransaction ? nextOffset <= position : nextOffset < position)) {
    return { outcome: { status: "behind", record: toOffsetRecord(found.key, stored) } };
  }
  const write = moved(entry, stored, claim);
  return { write, outcome: committed(entry, claim, write.ttl) };
};

/**
 * A position in a transaction of the store's own: it is written only over what is there, and only if nothing of what the
 * transaction writes is there already (contract 3.16g).
 */
export const decideTransact: Decide<TransactEntry, CommitOutcome> = (entry, found) => {
  const decision = decideCommit(entry, found);
  const { stored } = found;
  const isRepeated = stored?.nextOffset !== undefined && stored.nextOffset > entry.from;
  if (!isRepeated || decision?.outcome.status !== "committed") return decision;
  return { outcome: { status: "behind", record: toOffsetRecord(found.key, stored) } };
};

/** An operator's write: it withdraws the claim, and returns where the position was (contract 3.2c, 3.2h). */
export const decideReset: Decide<ResetEntry, ResetOutcome> = (entry, { key, stored, now }) => {
  if (now === undefined) return undefined;
  if (!isAsExpected(entry, stored)) {
    return { outcome: { status: "moved", record: stored && toOffsetRecord(key, stored) } };
  }
  // One that is repeated must not hide from where the first one moved it.
  const isThere = stored?.nextOffset === entry.nextOffset;
  const resetFrom = stored && { nextOffset: stored.nextOffset, reason: "operator", at: AT_WRITE };
  return {
    write: {
      ...EMPTY,
      nextOffset: entry.nextOffset,
      metadata: entry.metadata ?? "",
      resetFrom: isThere ? stored.resetFrom : resetFrom,
      ttl: ttlOf(entry.ttl, stored),
      claim: { ...NOBODY, epoch: nextEpoch(stored, now) },
      committedAt: AT_WRITE,
    },
    outcome: { status: "reset" },
  };
};

function isAsExpected({ ifNextOffset, ifResetFrom }: ResetEntry, stored: StoredOffset | undefined): boolean {
  if (ifNextOffset !== undefined && ifNextOffset !== (stored?.nextOffset ?? null)) return false;
  if (ifResetFrom === undefined) return true;
  const last = stored?.resetFrom;
  const { nextOffset, reason, at } = ifResetFrom;
  return last?.nextOffset === nextOffset && last?.reason === reason && last.at === at.getTime();
}

/** Another time to live (contract 3.5f). */
export const decideExpire: Decide<ExpireEntry, ExpireOutcome> = (entry, { stored, now }) => {
  if (now === undefined) return undefined;
  if (stored === undefined) return { outcome: { status: "absent" } };
  const write = { ...stored, ttl: entry.ttl ?? undefined, notAfter: undefined, writtenAt: AT_WRITE };
  return { write, outcome: { status: "set" } };
};

/** What is stored (contract 3.3d). */
export const decideFetch: Decide<{ readonly key: OffsetKey }, FetchOutcome> = (_, { key, stored, now }) => {
  if (now === undefined) return undefined;
  return {
    outcome: stored === undefined ? { status: "absent" } : { status: "found", record: toOffsetRecord(key, stored) },
  };
};

/** Whether the key has a holder that may live, as far as the entry knows. Any write since then is a sign of life. */
function isHeldAgainst({ token, member, silent }: JudgedClaimEntry, { claim, writtenAt }: StoredOffset): boolean {
  if (claim.token === undefined || claim.released || claim.token === token) return false;
  if (claim.epoch === silent?.epoch && Math.trunc(writtenAt) === silent.updatedAt.getTime()) return false;
  return member === undefined || claim.member !== member;
}

const NOBODY: StoredClaim = Object.freeze({
  epoch: 0,
  token: undefined,
  owner: undefined,
  member: undefined,
  claimedAt: undefined,
  released: false,
});

const EMPTY: StoredOffset = Object.freeze({
  nextOffset: undefined,
  metadata: "",
  mark: undefined,
  acknowledged: undefined,
  resetFrom: undefined,
  ttl: undefined,
  claim: NOBODY,
  committedAt: undefined,
  notAfter: undefined,
  writtenAt: AT_WRITE,
});

/** Only grows, also where the record was deleted in between: then the clock has advanced (contract 3.2e). */
function nextEpoch(stored: StoredOffset | undefined, now: number): number {
  return Math.max((stored?.claim.epoch ?? 0) + 1, Math.floor(now));
}

function ttlOf(given: number | null | undefined, stored: StoredOffset | undefined): number | undefined {
  return given === undefined ? stored?.ttl : (given ?? undefined);
}

function claimAfter(entry: CommitEntry, claim: StoredClaim): StoredClaim {
  return entry.release === true
    ? { ...claim, owner: undefined, member: undefined, claimedAt: undefined, released: true }
    : claim;
}

/**
 * The same position again. Also of a commit that is stored already: what `committed` says of a write, its time to live and
 * who has it, is true of one that was made for it, and perhaps not of the one before, whose answer was lost.
 */
function renewed(entry: CommitEntry, stored: StoredOffset): Decision<CommitOutcome> {
  const ttl = ttlOf(entry.ttl, stored);
  const claim = claimAfter(entry, stored.claim);
  return {
    write: { ...stored, ttl, claim, notAfter: undefined, writtenAt: AT_WRITE },
    outcome: committed(entry, claim, ttl),
  };
}

/** Written out: this is the way of every commit, and spreading objects takes longer than all the rest of it. */
function moved(entry: CommitEntry, stored: StoredOffset, claim: StoredClaim): StoredOffset {
  return {
    nextOffset: entry.nextOffset,
    metadata: entry.metadata ?? stored.metadata,
    mark: entry.mark,
    acknowledged: entry.acknowledged?.length === 0 ? undefined : entry.acknowledged,
    resetFrom: entry.resetFrom === undefined ? stored.resetFrom : resetOf(entry),
    ttl: entry.ttl === undefined ? stored.ttl : (entry.ttl ?? undefined),
    claim: entry.release === true ? claimAfter(entry, claim) : claim,
    committedAt: AT_WRITE,
    notAfter: undefined,
    writtenAt: AT_WRITE,
  };
}

function resetOf({ resetFrom }: CommitEntry): StoredOffset["resetFrom"] {
  return resetFrom && { nextOffset: resetFrom.nextOffset, reason: resetFrom.reason, at: AT_WRITE };
}

/** The record again, under the commit's own claim (contract 3.11). */
function recreated(entry: CommitEntry, now: number): Decision<CommitOutcome> {
  const { token, owner, member } = entry;
  // A rewind begins an epoch here too: what was sent before it may still be on its way (contract 3.2e).
  const epoch =
    entry.rewind === true ? Math.max((entry.epoch ?? 0) + 1, Math.floor(now)) : (entry.epoch ?? Math.floor(now));
  const claim = { epoch, token, owner, member, claimedAt: AT_WRITE, released: false };
  if (entry.nextOffset !== undefined) {
    const write = moved(entry, EMPTY, claim);
    return { write, outcome: committed(entry, claim, write.ttl) };
  }
  const write = { ...EMPTY, ttl: ttlOf(entry.ttl, undefined), claim: claimAfter(entry, claim) };
  return { write, outcome: committed(entry, claim, write.ttl) };
}

/** The answer has the TTL, and with a rewind the epoch that has begun. */
function committed({ rewind }: CommitEntry, { epoch }: StoredClaim, ttl: number | undefined): CommitOutcome {
  if (rewind !== true) return ttl === undefined ? COMMITTED : { status: "committed", ttl };
  return ttl === undefined ? { status: "committed", epoch } : { status: "committed", epoch, ttl };
}

function fenced(reason: FencedReason, owner?: string): CommitRefusal {
  return owner === undefined ? { status: "fenced", reason } : { status: "fenced", reason, owner };
}
