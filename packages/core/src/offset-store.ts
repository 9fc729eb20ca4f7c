import type { OffsetStoreError } from "./errors/offset-store-error.ts";
import type { OffsetKey } from "./key.ts";
import type { GroupEntry, GroupRecord, MemberEntry, MemberFilter, MemberKey, MemberRecord } from "./member.ts";
import type { OffsetRange, OffsetRecord, ResetOrigin } from "./offset-record.ts";

/** What every call takes. */
export interface CallOptions {
  /** Ends the call early: it rejects with `signal.reason`. A write already sent may still happen. */
  readonly signal?: AbortSignal | undefined;
}

/** What `commit` takes beside its entries. */
export interface CommitOptions<Transaction> extends CallOptions {
  /**
   * The caller's own open transaction: the position is written inside it and becomes visible with it. A refusal then
   * rejects with `CONFLICT` instead of being an outcome, so that the caller's other writes roll back too.
   */
  readonly transaction?: Transaction | undefined;
}

/** One claim: from now on this session alone commits the key. */
export interface ClaimEntry {
  readonly key: OffsetKey;
  /** The session's random token. The same token again is the same claim. */
  readonly token: string;
  /** A human-readable name of the session; information only. */
  readonly owner: string;
  /** The session's name in a sharing group. Omitted: it is in none. */
  readonly member?: string | undefined;
  /**
   * Takes the key only if it has no holder, this member itself holds it, or its holder is silent or has ended (contract
   * 8.3); otherwise the answer is `held`. A holder that has no member record is silent when its record is older than
   * this many milliseconds. Omitted: the newest claim wins.
   */
  readonly ifIdleFor?: number | undefined;
  /** Milliseconds that the record lives unless renewed. Omitted: keeps what it has (at first never expires). `null`: never. */
  readonly ttl?: number | null | undefined;
}

/** One commit, or, without `nextOffset`, one renewal of a claim. */
export interface CommitEntry {
  readonly key: OffsetKey;
  readonly token: string;
  /**
   * The claim's epoch, from the answer `claimed`, or `committed` of a rewind: the commit is accepted only while it is the stored
   * one. A session always gives it, so a write from before a rewind that arrives late is fenced (contract 3.2e). Omitted: only the
   * token is compared.
   */
  readonly epoch?: number | undefined;
  /** The offset of the next record to read. Omitted: the entry only renews the record's expiry, or releases the claim. */
  readonly nextOffset?: bigint | undefined;
  /** Goes with `nextOffset`. Omitted: stays as it is. */
  readonly metadata?: string | undefined;
  /** Which log `nextOffset` belongs to: 1 to 255 UTF-8 bytes, in the log's own words. Omitted: none, any log takes it. */
  readonly mark?: string | undefined;
  /** Offsets beyond `nextOffset` that are done, in ascending order and apart, at most 1 KiB as text. Omitted: none. */
  readonly acknowledged?: readonly OffsetRange[] | undefined;
  /** Goes with `nextOffset`, where a reset policy chose it: where the position was, and why it was moved. */
  readonly resetFrom?: { readonly nextOffset?: bigint | undefined; readonly reason: string } | undefined;
  /** As in {@link ClaimEntry}. */
  readonly ttl?: number | null | undefined;
  /** Lets the position go back, and gives the claim a new epoch, which is in the answer (contract 3.2b). */
  readonly rewind?: boolean | undefined;
  /** Ends the claim in the same write: the key has no holder afterwards (contract 3.2f). */
  readonly release?: boolean | undefined;
  /** Lets the commit create the record again, under its token and epoch, if there is none (contract 3.11). */
  readonly recreate?: boolean | undefined;
  /** The owner to write with `recreate`; otherwise ignored. */
  readonly owner?: string | undefined;
  /** The member to write with `recreate`; otherwise ignored. */
  readonly member?: string | undefined;
}

/** The position to store with the results of one transaction that the store begins. */
export interface TransactEntry extends Pick<
  CommitEntry,
  "key" | "token" | "epoch" | "metadata" | "mark" | "acknowledged" | "ttl"
> {
  /** The first offset whose results the transaction writes: where the stored position lies beyond it, they are there already. */
  readonly from: bigint;
  /** The position after them. */
  readonly nextOffset: bigint;
}

/** Writes results in a transaction. */
export interface TransactionBody<Transaction> {
  (transaction: Transaction): unknown;
  /** Every function has it; it lets TypeScript accept a store of any transaction type. */
  readonly length: number;
}

/** One write by an operator. It withdraws the claim: the running session is fenced. */
export interface ResetEntry {
  readonly key: OffsetKey;
  readonly nextOffset: bigint;
  /** Omitted: `""`. */
  readonly metadata?: string | undefined;
  /** As in {@link ClaimEntry}. */
  readonly ttl?: number | null | undefined;
  /** Writes only while this is the stored position; `null`: while there is none. Otherwise the answer is `moved`. */
  readonly ifNextOffset?: bigint | null | undefined;
  /** Writes only while this is the record's last reset. Otherwise the answer is `moved`. */
  readonly ifResetFrom?: ResetOrigin | undefined;
}

/** A new time to live for a record that is there. Neither the claim nor the position changes. */
export interface ExpireEntry {
  readonly key: OffsetKey;
  /** Milliseconds from now, and after every later renewal. `null`: never expires. */
  readonly ttl: number | null;
}

/** This entry alone could not be answered (contract 3.3). */
export interface FailedOutcome {
  readonly status: "failed";
  readonly error: OffsetStoreError;
}

/** The token is written. `record` is what the claim found, or `undefined` if there was nothing. */
export interface ClaimedOutcome {
  readonly status: "claimed";
  /** The claim's epoch: larger than that of every claim before it. */
  readonly epoch: number;
  readonly record: OffsetRecord | undefined;
}

/** Another session holds the key and counts as alive; nothing was written. With `ifIdleFor`. */
export interface HeldOutcome {
  readonly status: "held";
  readonly record: OffsetRecord;
}

/** The answer to one claim. */
export type ClaimOutcome = ClaimedOutcome | HeldOutcome | FailedOutcome;

/** Why a claim no longer holds: taken over, moved by an operator, released by its holder, or deleted (or expired). */
export type FencedReason = "superseded" | "reset" | "released" | "absent";

/** The position is stored and its expiry renewed. */
export interface CommittedOutcome {
  readonly status: "committed";
  /** The claim's new epoch; with `rewind`. */
  readonly epoch?: number;
  /** Milliseconds that the record lives after this write. Absent: it never expires. */
  readonly ttl?: number;
}

/** What is stored is ahead of what was sent; nothing was written. */
export interface BehindOutcome {
  readonly status: "behind";
  readonly record: OffsetRecord;
}

/** The claim is no longer valid; nothing was written. */
export interface FencedOutcome {
  readonly status: "fenced";
  readonly reason: FencedReason;
  /** The owner of the current claim; with `superseded`. */
  readonly owner?: string;
}

/** A commit that was understood and not carried out. */
export type CommitRefusal = BehindOutcome | FencedOutcome;

/** The answer to one commit. */
export type CommitOutcome = CommittedOutcome | CommitRefusal | FailedOutcome;

/** A record is stored under the key. */
export interface FoundOutcome {
  readonly status: "found";
  readonly record: OffsetRecord;
}

/** A confirmed miss: nothing is stored under the key, or what was has expired. */
export interface AbsentOutcome {
  readonly status: "absent";
}

/** The answer to one fetch. */
export type FetchOutcome = FoundOutcome | AbsentOutcome | FailedOutcome;

/** The position is written and the claim withdrawn. */
export interface ResetDoneOutcome {
  readonly status: "reset";
}

/** What is stored is not what the reset was to be written over; nothing was written. With `ifNextOffset` or `ifResetFrom`. */
export interface MovedOutcome {
  readonly status: "moved";
  /** What is stored. `undefined`: nothing is. */
  readonly record: OffsetRecord | undefined;
}

/** The answer to one reset. */
export type ResetOutcome = ResetDoneOutcome | MovedOutcome | FailedOutcome;

/** The time to live is changed. */
export interface ExpirySetOutcome {
  readonly status: "set";
}

/** The answer to one expire. */
export type ExpireOutcome = ExpirySetOutcome | AbsentOutcome | FailedOutcome;

/** Which records: those that match every field given, exactly. An empty filter is all of them. */
export interface OffsetFilter {
  readonly consumer?: string | undefined;
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
}

/** What to delete: these keys, all that match a filter, or what has expired and is not swept yet. Never empty. */
export type DeleteSelector = { readonly keys: readonly OffsetKey[] } | { readonly expired: true } | OffsetFilter;

/** What a store can do, as plain frozen data; the conformance kit reads only this. */
export interface StoreCapabilities {
  /**
   * Whether other clients see all or nothing of what one call of up to `maxBatch` entries writes, even if the writer dies in
   * the middle. (A refused entry never affects the others.)
   */
  readonly atomicBatch: boolean;
  /** Whether `commit` takes a caller's transaction. */
  readonly transactions: boolean;
  /**
   * What acknowledged writes survive: `none` (lost with the process), `process` (survive the process, a power failure
   * may lose the last ones), `synced` (survive a power failure), `async` (a failover may undo them).
   */
  readonly durability: "none" | "process" | "synced" | "async";
  readonly expiry: {
    /** How the space of expired records comes back: by the backend alone, or when the store is next written to. */
    readonly reclaim: "native" | "on-write";
    /** The step of the store's clock in milliseconds. */
    readonly granularityMs: number;
  };
  /** The default lease of a session in milliseconds, for stores where heartbeats are expensive. Omitted: 10,000. */
  readonly leaseMs?: number;
  /** The most entries in one request to the backend; the store splits larger batches. */
  readonly maxBatch: number;
}

/**
 * Stores the positions of consumers. Calls take batches, with one answer per entry, in order (contract, section 3). It also
 * stores the members that share a topic (section 8).
 *
 * Wrong arguments are a `TypeError` or `RangeError` before any I/O. A failure of the whole call rejects with an
 * `OffsetStoreError`; of one entry it is that entry's `failed` outcome. Every call ends within the store's `timeout`; a listing
 * has that time for each page, `close` twice, `transact` for each of its own steps.
 */
export interface OffsetStore<Transaction = never> extends AsyncDisposable {
  /** The kind of store, for example `"sqlite"`. */
  readonly name: string;
  /** What keeps two log clusters in one backend apart. */
  readonly namespace: string;
  readonly capabilities: StoreCapabilities;
  /** Takes the right to commit each key. The newest claim wins; positions stay. */
  claim(entries: readonly ClaimEntry[], options?: CallOptions): Promise<ClaimOutcome[]>;
  /** Stores positions, forward only, under the claim's token. */
  commit(entries: readonly CommitEntry[], options?: CommitOptions<Transaction>): Promise<CommitOutcome[]>;
  /**
   * Runs `body` in a transaction that the store begins itself, writes the position in it last, and commits both. Resolves when
   * both are stored. If `body` throws, the transaction is rolled back, and the call rejects with that error; a refusal is a
   * `CONFLICT`. If the backend aborts the transaction for another one, `body` runs again. The call waits for `body` however long it
   * takes; a `signal` ends the call after it, and if it aborts while the commit is under way, both may be stored. Absent if the store has no transactions.
   */
  transact?(entry: TransactEntry, body: TransactionBody<Transaction>, options?: CallOptions): Promise<CommittedOutcome>;
  /** Reads records. */
  fetch(keys: readonly OffsetKey[], options?: CallOptions): Promise<FetchOutcome[]>;
  /** Streams records, unordered. What cannot be read is named in an `OffsetStoreError` after the rest. */
  list(filter?: OffsetFilter, options?: CallOptions): AsyncIterable<OffsetRecord>;
  /** Moves positions, also back, and fences the running session. */
  reset(entries: readonly ResetEntry[], options?: CallOptions): Promise<ResetOutcome[]>;
  /** Changes how long records live. */
  expire(entries: readonly ExpireEntry[], options?: CallOptions): Promise<ExpireOutcome[]>;
  /** Removes records and returns the keys of those removed. */
  delete(selector: DeleteSelector, options?: CallOptions): Promise<OffsetKey[]>;
  /** Writes that a member lives, over any earlier record of it (contract 8.1). */
  heartbeat(entry: MemberEntry, options?: CallOptions): Promise<void>;
  /** Removes a member's record. */
  leave(key: MemberKey, options?: CallOptions): Promise<void>;
  /** Streams members, unordered: those with a heartbeat within ten leases. What cannot be read is left out. */
  members(filter?: MemberFilter, options?: CallOptions): AsyncIterable<MemberRecord>;
  /** Returns what the first member stored about the topic; the first call stores its own entry (contract 8.4). */
  group(entry: GroupEntry, options?: CallOptions): Promise<GroupRecord>;
  /** Lets calls in flight end, then releases what the store opened itself. May be called twice. */
  close(): Promise<void>;
}
