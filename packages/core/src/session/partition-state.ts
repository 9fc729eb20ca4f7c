import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CommitEntry } from "../offset-store.ts";
import type { OffsetRecord } from "../offset-record.ts";
import { Acknowledgements } from "./acknowledgements.ts";

/** What one write says of a partition, and what is needed to understand the answer. */
export interface PendingWrite {
  readonly state: PartitionState;
  readonly entry: CommitEntry;
  /** Whether the entry carries what was committed since reading was last moved, and not something from before. */
  readonly current: boolean;
  /** How often reading had been moved when this was sent. */
  readonly moves: number;
  /** Whether this is sent again as it was: what was committed since comes after it. */
  readonly isRepeated: boolean;
}

/**
 * What a session knows of one partition: what is committed locally, what of it is durable, and since when it is not.
 *
 * A commit keeps a reference to the record's own offset and no sum: bigints live on the heap, and the hot path allocates
 * nothing. The position is computed when it is sent.
 */
export class PartitionState {
  readonly key: OffsetKey;
  /** What the store had when the partition was claimed. */
  readonly claimed: OffsetRecord | undefined;
  /** The TTL that the stored record is known to have. */
  ttl: number | undefined;
  /** The monotonic time at which the last acknowledged write was sent. */
  lastWriteAt: number;
  /** The monotonic time of the oldest commit that is not durable. */
  dirtySince: number | undefined;
  /** Why the store refuses this partition's position for good; `undefined` while it takes it. */
  refusal: OffsetStoreError | undefined;
  /** The last record handed out. */
  delivered: bigint | undefined;

  readonly #acknowledgements: Acknowledgements | undefined;
  #committed: bigint | undefined;
  // Whether #committed is a record's offset (the position is one more) or a position itself.
  #committedIsRecord = false;
  #durable: bigint | undefined;
  // A committed position that was not flushed yet when reading was moved elsewhere.
  #owed: bigint | undefined;
  #dirty = false;
  #mayGoBack = false;
  // A rewind whose answer is outstanding: it is sent again as it was until it is answered (contract 3.4b).
  #rewind: PendingWrite | undefined;
  #moves = 0;
  // Whether reading went back: records handed out before that are of a log that is gone.
  #wentBack = false;
  #announced = false;
  #ttlToSend: number | undefined;
  readonly #token: string;
  #epoch: number;

  constructor(
    key: OffsetKey,
    { token, epoch }: { readonly token: string; readonly epoch: number },
    claimed: OffsetRecord | undefined,
    ttl: number | undefined,
    claimedAt: number,
    tracksAcknowledgements: boolean,
  ) {
    this.key = key;
    this.#token = token;
    this.#epoch = epoch;
    this.claimed = claimed;
    this.ttl = ttl;
    this.lastWriteAt = claimedAt;
    this.#committed = claimed?.nextOffset;
    this.#durable = claimed?.nextOffset;
    this.#acknowledgements = tracksAcknowledgements ? new Acknowledgements() : undefined;
  }

  /** Whether something committed is not durable. */
  get dirty(): boolean {
    return this.#dirty || this.#owed !== undefined;
  }

  /** The committed position, flushed or not. */
  get position(): bigint | undefined {
    if (this.#committed === undefined) return undefined;
    return this.#committedIsRecord ? this.#committed + 1n : this.#committed;
  }

  deliver(offset: bigint): void {
    this.delivered = offset;
    this.#announced = true;
    this.#acknowledgements?.deliver(offset);
  }

  /** Commits up to and with a record. Gives whether the partition became dirty by it. */
  commit(offset: bigint): boolean {
    if (this.#isOfFormerLog(offset)) return false;
    return this.#commitRecord(this.#acknowledgements?.acknowledgeThrough(offset) ?? offset);
  }

  /** Acknowledges one record. Gives whether the partition became dirty by it. */
  acknowledge(offset: bigint): boolean {
    if (!this.#announced) {
      const what = `partition ${this.key.partition} of topic ${JSON.stringify(this.key.topic)}`;
      throw new RangeError(`no record of ${what} was delivered: call deliver(record) before acknowledge(record)`);
    }
    const upTo = this.#acknowledgements?.acknowledge(offset);
    return upTo === undefined ? false : this.#commitRecord(upTo);
  }

  /** Commits a position where none is. */
  startAt(nextOffset: bigint, ttl: number | undefined): void {
    this.#committed = nextOffset;
    this.#committedIsRecord = false;
    this.#dirty = true;
    if (ttl !== undefined) this.#ttlToSend = ttl;
  }

  /** Moves the local position; without `isDurable` it is not committed. */
  reposition(nextOffset: bigint, isDurable = false): void {
    const { position, delivered } = this;
    if (isDurable) this.#owed = undefined;
    else if (this.#dirty) this.#owed = position;
    if (position !== undefined && nextOffset < position) this.#mayGoBack = true;
    // The same position again is another loop over the same log: what the former one handed out still counts.
    const isElsewhere = position !== undefined && nextOffset !== position;
    if (isElsewhere && (nextOffset < position || (delivered !== undefined && nextOffset <= delivered))) {
      this.#wentBack = true;
    }
    this.#moves += 1;
    this.#committed = nextOffset;
    this.#committedIsRecord = false;
    this.#dirty = isDurable;
    // What was handed out and not committed is handed out again.
    this.delivered = undefined;
    this.#acknowledgements?.clear();
  }

  /** What to send now; without a position a renewal. With an owner, the record is to be written anew under its name. */
  write(recreateAs?: string): PendingWrite {
    const recreate = recreateAs !== undefined;
    if (recreate) this.#rewind = undefined;
    if (this.#rewind !== undefined) return { ...this.#rewind, isRepeated: true };
    const pending = this.#dirty ? this.position : this.#owed;
    // A record that is written anew must have its position, also when only a renewal was due.
    const nextOffset = pending ?? (recreate ? this.#durable : undefined);
    const write: PendingWrite = {
      state: this,
      current: this.#dirty,
      moves: this.#moves,
      isRepeated: false,
      entry: {
        ...this.claim,
        key: this.key,
        nextOffset,
        ttl: recreate ? (this.#ttlToSend ?? this.ttl) : this.#ttlToSend,
        ...(recreate && { recreate, owner: recreateAs }),
        ...(this.#mayGoBack && this.#dirty && !recreate && { rewind: true }),
      },
    };
    if (write.entry.rewind === true) this.#rewind = write;
    return write;
  }

  /** Whether reading went back and the store does not know it yet. */
  get mayGoBack(): boolean {
    return this.#mayGoBack;
  }

  /** The part of an entry that proves the claim. */
  get claim(): Pick<CommitEntry, "token" | "epoch"> {
    return { token: this.#token, epoch: this.#epoch };
  }

  /** The store has what was sent, and with a rewind a new epoch. */
  acknowledged({ entry, current, moves }: PendingWrite, epoch: number | undefined, sentAt: number): void {
    this.lastWriteAt = sentAt;
    this.refusal = undefined;
    if (epoch !== undefined) this.#epoch = epoch;
    this.#rewind = undefined;
    if (entry.ttl !== undefined) {
      this.ttl = entry.ttl ?? undefined;
      this.#ttlToSend = undefined;
    }
    if (entry.nextOffset === undefined) return;
    if (current && moves === this.#moves) this.#mayGoBack = false;
    this.#settled(entry.nextOffset, entry.nextOffset, sentAt);
  }

  /** The store was ahead: what it has counts as durable. */
  behind({ entry }: PendingWrite, record: OffsetRecord, sentAt: number): void {
    if (entry.nextOffset !== undefined) this.#settled(entry.nextOffset, record.nextOffset, sentAt);
  }

  /**
   * A record that was handed out before reading went back, and whose offset the new log has not reached. Known only where
   * records are announced: those that the consumer of strategy `auto` has in hand are its own matter.
   */
  #isOfFormerLog(offset: bigint): boolean {
    if (!this.#wentBack || !this.#announced) return false;
    return this.delivered === undefined || offset > this.delivered;
  }

  #commitRecord(offset: bigint): boolean {
    const committed = this.#committed;
    if (committed !== undefined && (this.#committedIsRecord ? offset <= committed : offset < committed)) return false;
    this.#committed = offset;
    this.#committedIsRecord = true;
    this.#owed = undefined;
    if (this.#dirty) return false;
    this.#dirty = true;
    return true;
  }

  #settled(sent: bigint, durable: bigint | undefined, sentAt: number): void {
    this.#durable = durable;
    if (this.#owed === sent) this.#owed = undefined;
    if (this.#dirty && this.position === sent) this.#dirty = false;
    this.dirtySince = this.dirty ? sentAt : undefined;
  }
}
