import { Sent } from "../driver/sent.ts";
import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { CommitEntry } from "../offset-store.ts";
import { PartitionProgress } from "./partition-progress.ts";

/** One write of a partition, and what is needed to understand its answer. */
export interface PartitionWrite {
  readonly partition: HeldPartition;
  readonly entry: CommitEntry;
  /** How many changes of the partition this write contains. */
  readonly changes: number;
  /** How many resets of the partition this write contains. */
  readonly resets: number;
  /** Whether this was sent before: what was committed since comes after it. */
  readonly isRepeated: boolean;
}

/** What a claim is taken with, and what it found. */
export interface HeldClaim {
  readonly token: string;
  readonly owner: string;
  readonly member: string;
  readonly epoch: number;
  /** What was stored; `undefined` for nothing. */
  readonly record: OffsetRecord | undefined;
  /** The TTL that the record has from now on. */
  readonly ttl: number | undefined;
  /** How early the store may take it for over. */
  readonly granularityMs: number;
}

/** One partition that a session holds: its progress, and what of that the store has under the claim. */
export class HeldPartition extends PartitionProgress {
  /** The TTL that the stored record is known to have. */
  ttl: number | undefined;
  /** When the store was last asked about it, by the monotonic clock. */
  seenAt = performance.now();
  /** When the last acknowledged write was sent. */
  sent = new Sent();
  /** Why the store takes no more positions of this partition, for good; `undefined` while it does. */
  refusal: OffsetStoreError | undefined;
  /** Whether every write from now on ends the claim. */
  isReleasing = false;
  /** Settles when the transaction of the store's own that is under way on this partition ends; `undefined`: there is none. */
  transaction: Promise<void> | undefined;
  /** Whether that transaction is open: writes leave the partition out. */
  isInOwnTransaction = false;
  /** Whether a transaction may be stored that is not known to be: the record is read before the next one. */
  isUncertain = false;

  readonly #claim: HeldClaim;
  #callersTransactionUntil = 0;
  #resets = 0;
  #resetFrom: CommitEntry["resetFrom"];
  // A reset whose answer is outstanding: it is sent again as it was until it is answered (contract 3.4b).
  #unanswered: PartitionWrite | undefined;
  #metadata: string | undefined;
  // What is stored as such.
  #stored: string | undefined;
  #ttlToSend: number | undefined;

  constructor(session: object, key: OffsetKey, claim: HeldClaim) {
    super(session, key, claim.record);
    this.#claim = claim;
    this.epoch = claim.epoch;
    this.ttl = claim.ttl;
    this.#stored = claim.record?.metadata;
  }

  /** Until when a transaction is taken to be open on this partition, by the monotonic clock. */
  get inTransactionUntil(): number {
    return this.isInOwnTransaction ? Number.POSITIVE_INFINITY : this.#callersTransactionUntil;
  }

  /** A caller's transaction was begun, or is over. */
  set inTransactionUntil(until: number) {
    this.#callersTransactionUntil = until;
  }

  /** Whether reading was moved and the store does not know it yet. */
  get isMoving(): boolean {
    return this.#resetFrom !== undefined;
  }

  /** Whether the record can have reached the end of its TTL since the last acknowledged write. */
  get mayHaveExpired(): boolean {
    return this.ttl !== undefined && this.sent.elapsedMs + this.#claim.granularityMs >= this.ttl;
  }

  /** Says what to store along with the position. */
  describe(metadata: string): void {
    this.#metadata = metadata;
    this.changed();
  }

  /** Commits a position where none is. */
  startAt(nextOffset: bigint, ttl: number | undefined, mark: string | undefined): void {
    if (ttl !== undefined) this.#ttlToSend = ttl;
    this.beginAt(nextOffset, mark);
  }

  override resetTo(nextOffset: bigint, reason: string, mark: string | undefined): void {
    // Where two resets come before the store knows of the first, the position was lost once.
    this.#resetFrom ??= { nextOffset: this.position, reason };
    this.#resets += 1;
    super.resetTo(nextOffset, reason, mark);
  }

  /** What to send now: the position if it is not durable, else a renewal. With `recreate` the record is written again. */
  write(recreate = false): PartitionWrite {
    if (this.#unanswered !== undefined && !recreate) return { ...this.#unanswered, isRepeated: true };
    // A record that is written again must have its position, also when only a renewal was due.
    const nextOffset = this.isDirty || recreate ? this.position : undefined;
    const isReset = this.#resetFrom !== undefined && nextOffset !== undefined;
    const write = this.#writeOf(nextOffset, recreate, {
      ...(this.isReleasing && { release: true }),
      ...(isReset && { rewind: true, resetFrom: this.#resetFrom }),
    });
    this.#unanswered = isReset ? write : undefined;
    return write;
  }

  /** A position to write in a transaction. */
  writeWithin(nextOffset: bigint, recreate = false): PartitionWrite {
    return this.#writeOf(nextOffset, recreate);
  }

  /** The store has what was sent, with a reset under a new epoch. */
  written(
    { entry, changes, resets }: PartitionWrite,
    answer: { readonly epoch?: number; readonly ttl?: number },
    sent: Sent,
  ): void {
    this.seenAt = sent.at;
    this.sent = sent;
    this.refusal = undefined;
    this.#unanswered = undefined;
    this.epoch = answer.epoch ?? this.epoch;
    this.ttl = answer.ttl;
    if (entry.ttl === this.#ttlToSend) this.#ttlToSend = undefined;
    if (entry.nextOffset === undefined) return;
    if (entry.metadata !== undefined) this.#stored = entry.metadata;
    if (entry.metadata === this.#metadata) this.#metadata = undefined;
    if (resets === this.#resets) this.#resetFrom = undefined;
    this.durable(changes, entry.nextOffset, sent.at);
  }

  /** The store was ahead: what it has counts as durable. */
  behind({ changes }: PartitionWrite, record: OffsetRecord, sent: Sent): void {
    this.durable(changes, record.nextOffset, sent.at);
  }

  #writeOf(nextOffset: bigint | undefined, recreate: boolean, more?: Partial<CommitEntry>): PartitionWrite {
    const { token, owner, member } = this.#claim;
    return {
      partition: this,
      changes: this.changes,
      resets: this.#resets,
      isRepeated: false,
      entry: {
        key: this.key,
        token,
        epoch: this.epoch,
        nextOffset,
        mark: nextOffset === undefined ? undefined : this.markAt(nextOffset),
        // A record that is recreated keeps nothing.
        metadata: nextOffset === undefined ? undefined : recreate ? (this.#metadata ?? this.#stored) : this.#metadata,
        acknowledged: nextOffset === undefined ? undefined : this.acknowledgedBeyond(nextOffset),
        ttl: recreate ? (this.#ttlToSend ?? this.ttl) : this.#ttlToSend,
        ...(recreate && { recreate, owner, member }),
        ...more,
      },
    };
  }
}
