import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CommitEntry } from "../offset-store.ts";
import type { OffsetRange, OffsetRecord } from "../offset-record.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { PositionMarks } from "./position-marks.ts";
import { Era } from "./record-era.ts";

/** One write of a partition, and what is needed to understand its answer. */
export interface PartitionWrite {
  readonly partition: HeldPartition;
  readonly entry: CommitEntry;
  /** How many changes of the partition this write tells the store of. */
  readonly changes: number;
  /** How many resets of the partition this write tells the store of. */
  readonly resets: number;
  /** Whether this was sent before: what was committed since comes after it. */
  readonly isRepeated: boolean;
}

/** What a claim is taken with, and what it found. */
export interface HeldClaim {
  readonly token: string;
  readonly epoch: number;
  /** What was stored; `undefined` for nothing. */
  readonly record: OffsetRecord | undefined;
  /** The TTL that the record has from now on. */
  readonly ttl: number | undefined;
}

/**
 * One partition that a session holds: the committed position, what of it is durable, and what is handed out.
 *
 * A commit keeps the record's own offset and no sum: bigints live on the heap, and the hot path allocates nothing. The
 * position is computed when it is sent.
 */
export class HeldPartition {
  readonly key: OffsetKey;
  /** The claim's epoch: the fencing token for what users write elsewhere. */
  epoch: number;
  /** Which records an acknowledgement may be of. */
  era: Era;
  /** The TTL that the stored record is known to have. */
  ttl: number | undefined;
  /** When the store was last asked about it, by the monotonic clock. */
  seenAt = performance.now();
  /** When the last acknowledged write was sent, by the monotonic clock. */
  writtenAt = this.seenAt;
  /** The same by the wall clock: a laptop that slept stopped the other one. */
  writtenAtMs = Date.now();
  /** Since when something committed is not durable, by the monotonic clock. */
  dirtySince = 0;
  /** Why the store takes no more positions of this partition, for good; `undefined` while it does. */
  refusal: OffsetStoreError | undefined;
  /** The last record handed out since reading was begun or moved. */
  delivered: bigint | undefined;
  /** Whether every write from now on ends the claim. */
  isReleasing = false;
  /** Settles when the transaction of the store's own that is under way on this partition ends; `undefined`: there is none. */
  transaction: Promise<void> | undefined;
  /** Whether that transaction is open: writes leave the partition out. */
  isInOwnTransaction = false;
  /** Whether a transaction may be stored that is not known to be: the record is read before the next one. */
  isUncertain = false;

  readonly #token: string;
  #callersTransactionUntil = 0;
  readonly #session: object;
  readonly #acknowledgements: Acknowledgements;
  #committed: bigint | undefined;
  // Whether #committed is a record's offset (the position is one more) or a position itself.
  #committedIsRecord = false;
  #durable: bigint | undefined;
  // The highest record handed out in this era; a second loop hands out some of them again.
  #highest: bigint | undefined;
  // Where to go on when all that was handed out is committed: the log has no record before it.
  #passedTo: bigint | undefined;
  #changes = 0;
  #knownChanges = 0;
  #resets = 0;
  #resetFrom: CommitEntry["resetFrom"];
  // A reset whose answer is outstanding: it is sent again as it was until it is answered (contract 3.4b).
  #unanswered: PartitionWrite | undefined;
  #marks: PositionMarks;
  #metadata: string | undefined;
  // What is stored as such.
  #stored: string | undefined;
  #ttlToSend: number | undefined;

  constructor(session: object, key: OffsetKey, { token, epoch, record, ttl }: HeldClaim) {
    this.key = key;
    this.#session = session;
    this.era = new Era(session);
    this.#token = token;
    this.epoch = epoch;
    this.ttl = ttl;
    this.#committed = record?.nextOffset;
    this.#durable = record?.nextOffset;
    this.#stored = record?.metadata;
    this.#marks = new PositionMarks(record?.mark);
    this.#acknowledgements = new Acknowledgements(record?.acknowledged);
  }

  /** Until when a transaction is taken to be open on this partition, by the monotonic clock. */
  get inTransactionUntil(): number {
    return this.isInOwnTransaction ? Number.POSITIVE_INFINITY : this.#callersTransactionUntil;
  }

  /** A caller's transaction was begun, or is over. */
  set inTransactionUntil(until: number) {
    this.#callersTransactionUntil = until;
  }

  /** Whether something committed is not durable. */
  get isDirty(): boolean {
    return this.#changes !== this.#knownChanges;
  }

  /** Whether reading was moved and the store does not know it yet. */
  get isMoving(): boolean {
    return this.#resetFrom !== undefined;
  }

  /** The committed position, flushed or not. */
  get position(): bigint | undefined {
    if (this.#committed === undefined) return undefined;
    return this.#committedIsRecord ? this.#committed + 1n : this.#committed;
  }

  /** Which log the committed position belongs to. */
  get mark(): string | undefined {
    return this.markAt(this.position ?? 0n);
  }

  /** Which log a position belongs to. */
  markAt(position: bigint): string | undefined {
    return this.#marks.at(position);
  }

  /** Whether a record is done already. */
  isDone(offset: bigint): boolean {
    return this.#acknowledgements.isDone(offset);
  }

  /** The offset after the records from this one on that are done. */
  doneTo(offset: bigint): bigint {
    return this.#acknowledgements.doneTo(offset);
  }

  /** Whether any record beyond the position is done. */
  get isAnyDone(): boolean {
    return this.#acknowledgements.isAnyDone;
  }

  /** The record that is waited for where more is done beyond it than can be stored; `undefined` while it is not. */
  get waitingFor(): bigint | undefined {
    return this.#acknowledgements.isFull ? this.#acknowledgements.lowest : undefined;
  }

  /** Whether a record is handed out and not done. */
  get isInHand(): boolean {
    return this.#acknowledgements.lowest !== undefined;
  }

  /** What to store with a position as done beyond it. */
  acknowledgedBeyond(position: bigint): readonly OffsetRange[] | undefined {
    return this.#acknowledgements.beyond(position);
  }

  /** A record is handed out that `commit` alone commits. */
  handOut(offset: bigint, mark: string | undefined): void {
    this.delivered = offset;
    this.#passedTo = undefined;
    this.#marks.note(offset, mark);
  }

  /** A record is handed out, or skipped as done; `acknowledge` may say in any order that it is done. */
  deliver(offset: bigint, mark: string | undefined): void {
    this.handOut(offset, mark);
    if (this.#highest === undefined || offset > this.#highest) this.#highest = offset;
    this.#acknowledgements.deliver(offset);
  }

  /** The log has no record between what was handed out last and this offset. Gives whether the partition became dirty by it. */
  passOver(nextOffset: bigint): boolean {
    this.#passedTo = nextOffset;
    const { position } = this;
    if (position === undefined || position >= nextOffset) return false;
    return this.delivered === undefined || position > this.delivered ? this.#moveTo(nextOffset) : false;
  }

  /** Commits all that was handed out. On the way of every record of an `auto` consumer: nothing is compared. */
  commitHandedOut(): boolean {
    if (this.delivered === undefined) return false;
    if (this.#passedTo !== undefined) return this.#moveTo(this.#passedTo);
    this.#committed = this.delivered;
    this.#committedIsRecord = true;
    return this.#changed();
  }

  /** Commits up to and with a record. Gives whether the partition became dirty by it. */
  commit(offset: bigint): boolean {
    this.inTransactionUntil = 0;
    this.refuseUndelivered(offset);
    this.#acknowledgements.acknowledgeThrough(offset);
    return this.#commitRecord(this.#acknowledgements.advance() ?? offset);
  }

  /** Acknowledges one record. Gives whether the partition became dirty by it. */
  acknowledge(offset: bigint): boolean {
    if (this.#highest === undefined) {
      throw new RangeError(`no record of ${this.#name} was delivered: call deliver(record) before acknowledge(record)`);
    }
    this.refuseUndelivered(offset);
    return this.#acknowledgements.acknowledge(offset) && this.settle(true);
  }

  /** Moves the position past what is done. Gives whether the partition became dirty by that, or by what is done beyond it. */
  settle(isMoreDone: boolean): boolean {
    const upTo = this.#acknowledgements.advance();
    if (upTo !== undefined) return this.#commitRecord(upTo);
    // Without a position there is nothing to store it with.
    return isMoreDone && this.#committed !== undefined ? this.#changed() : false;
  }

  /** Says what to store along with the position. */
  describe(metadata: string): boolean {
    this.#metadata = metadata;
    return this.#changed();
  }

  /** Commits a position where none is. */
  startAt(nextOffset: bigint, ttl: number | undefined, mark: string | undefined): void {
    if (ttl !== undefined) this.#ttlToSend = ttl;
    this.#begin(nextOffset, mark);
  }

  /** Reading goes on elsewhere: what was handed out before is of another era. */
  resetTo(nextOffset: bigint, reason: string, mark: string | undefined): void {
    // Where two resets come before the store knows of the first, the position was lost once.
    this.#resetFrom ??= { nextOffset: this.position, reason };
    this.#resets += 1;
    this.era = new Era(this.#session);
    this.#highest = undefined;
    this.reread();
    // What retention removed was of the same log: what is done beyond the new position still is.
    if (reason === "below-log") this.#acknowledgements.clear(nextOffset);
    else this.#acknowledgements.reset();
    this.#begin(nextOffset, mark);
  }

  /** What was handed out and not committed is handed out again. */
  reread(): void {
    this.delivered = undefined;
    this.#passedTo = undefined;
    this.#acknowledgements.clear();
  }

  /** What to send now: the position if it is not durable, else a renewal. With a holder the record is written anew. */
  write(recreateAs?: Pick<CommitEntry, "owner" | "member">): PartitionWrite {
    if (this.#unanswered !== undefined && recreateAs === undefined) return { ...this.#unanswered, isRepeated: true };
    const recreate = recreateAs !== undefined;
    // A record that is written anew must have its position, also when only a renewal was due.
    const nextOffset = this.isDirty ? this.position : recreate ? (this.position ?? this.#durable) : undefined;
    const isReset = this.#resetFrom !== undefined && nextOffset !== undefined;
    const write: PartitionWrite = {
      partition: this,
      changes: this.#changes,
      resets: this.#resets,
      isRepeated: false,
      entry: {
        ...this.claim,
        key: this.key,
        nextOffset,
        mark: nextOffset === undefined ? undefined : this.mark,
        // Written anew, the record has nothing to keep it from.
        metadata: nextOffset === undefined ? undefined : recreate ? (this.#metadata ?? this.#stored) : this.#metadata,
        acknowledged: nextOffset === undefined ? undefined : this.acknowledgedBeyond(nextOffset),
        ttl: recreate ? (this.#ttlToSend ?? this.ttl) : this.#ttlToSend,
        ...(recreate && { recreate, ...recreateAs }),
        ...(this.isReleasing && { release: true }),
        ...(isReset && { rewind: true, resetFrom: this.#resetFrom }),
      },
    };
    this.#unanswered = isReset ? write : undefined;
    return write;
  }

  /** The position to write in a transaction of the store's own. */
  writeWithin(nextOffset: bigint): PartitionWrite {
    return {
      partition: this,
      changes: this.#changes,
      resets: this.#resets,
      isRepeated: false,
      entry: {
        ...this.claim,
        key: this.key,
        nextOffset,
        mark: this.markAt(nextOffset),
        metadata: this.#metadata,
        acknowledged: this.acknowledgedBeyond(nextOffset),
        ttl: this.#ttlToSend,
      },
    };
  }

  /** A transaction has stored a position: it is durable, and all up to the record before it is done. */
  passedWithin(offset: bigint, nextOffset: bigint): void {
    this.#acknowledgements.acknowledgeThrough(offset);
    const { position } = this;
    if (position === undefined || position < nextOffset) {
      this.#committed = nextOffset;
      this.#committedIsRecord = false;
    }
    // Nothing is left of it to be committed.
    if (this.delivered === offset) this.delivered = undefined;
    this.settle(false);
  }

  /** The part of an entry that proves the claim. */
  get claim(): Pick<CommitEntry, "token" | "epoch"> {
    return { token: this.#token, epoch: this.epoch };
  }

  /** The store has what was sent, with a reset under a new epoch. */
  written(
    { entry, changes, resets }: PartitionWrite,
    answer: { readonly epoch?: number; readonly ttl?: number },
    sentAt: number,
    sentAtMs: number,
  ): void {
    this.seenAt = sentAt;
    this.writtenAt = sentAt;
    this.writtenAtMs = sentAtMs;
    this.refusal = undefined;
    this.#unanswered = undefined;
    this.epoch = answer.epoch ?? this.epoch;
    this.ttl = answer.ttl;
    if (entry.ttl === this.#ttlToSend) this.#ttlToSend = undefined;
    if (entry.nextOffset === undefined) return;
    if (entry.metadata !== undefined) this.#stored = entry.metadata;
    if (entry.metadata === this.#metadata) this.#metadata = undefined;
    if (resets === this.#resets) this.#resetFrom = undefined;
    this.#settled(changes, entry.nextOffset, sentAt);
  }

  /** The store was ahead: what it has counts as durable. */
  behind({ changes }: PartitionWrite, record: OffsetRecord, sentAt: number): void {
    this.#settled(changes, record.nextOffset, sentAt);
  }

  get #name(): string {
    return `partition ${this.key.partition} of topic ${JSON.stringify(this.key.topic)}`;
  }

  /** Whether a record is the lowest that is handed out and not done. Where nothing was handed out, what lies before is done. */
  isNext(offset: bigint): boolean {
    const { lowest } = this.#acknowledgements;
    if (lowest !== undefined) return lowest === offset;
    return this.#highest === undefined && (this.position ?? 0n) <= offset;
  }

  /** A record that nobody was given cannot be done. Where nothing was handed out at all, nobody says what is. */
  refuseUndelivered(offset: bigint): void {
    const { delivered } = this;
    const isHigher = this.#highest === undefined || (delivered !== undefined && delivered > this.#highest);
    const highest = isHigher ? delivered : this.#highest;
    if (highest === undefined || offset <= highest) return;
    throw new RangeError(
      `record ${offset} of ${this.#name} was never delivered: the last one was ${highest}; commit only records that were delivered`,
    );
  }

  #begin(nextOffset: bigint, mark: string | undefined): void {
    this.#marks = new PositionMarks(mark);
    this.#moveTo(nextOffset);
  }

  #moveTo(nextOffset: bigint): boolean {
    this.#committed = nextOffset;
    this.#committedIsRecord = false;
    return this.#changed();
  }

  #commitRecord(offset: bigint): boolean {
    const committed = this.#committed;
    if (committed !== undefined && (this.#committedIsRecord ? offset <= committed : offset < committed)) return false;
    if (this.#passedTo !== undefined && offset === this.delivered) return this.#moveTo(this.#passedTo);
    this.#committed = offset;
    this.#committedIsRecord = true;
    return this.#changed();
  }

  #changed(): boolean {
    const wasClean = !this.isDirty;
    if (wasClean) this.dirtySince = performance.now();
    this.#changes += 1;
    return wasClean;
  }

  #settled(changes: number, durable: bigint | undefined, sentAt: number): void {
    this.#durable = durable;
    this.#knownChanges = changes;
    this.dirtySince = sentAt;
    if (durable !== undefined) this.#marks.settle(durable);
  }
}
