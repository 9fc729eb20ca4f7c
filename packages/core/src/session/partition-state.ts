import type { OffsetKey } from "../key.ts";
import type { CommitEntry } from "../offset-store.ts";
import type { OffsetRecord } from "../offset-record.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { newToken } from "./token.ts";

/** What one write says of a partition, and what is needed to understand the answer. */
export interface PendingWrite {
  readonly state: PartitionState;
  readonly entry: CommitEntry;
  /** Whether the entry carries what was committed since reading was last moved, and not something from before. */
  readonly current: boolean;
  /** How often reading had been moved when this was sent. */
  readonly moves: number;
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
  // Positions that were sent in transactions of the caller's since reading went back: any of them may be stored.
  readonly #sentWithin = new Set<bigint>();
  #moves = 0;
  // Whether reading went back: records handed out before that are of a log that is gone.
  #wentBack = false;
  #announced = false;
  #ttlToSend: number | undefined;
  #token: string;
  // The token that the claim gets by a rewind, until the store has said that it has it.
  #nextToken: string | undefined;

  constructor(
    key: OffsetKey,
    token: string,
    claimed: OffsetRecord | undefined,
    ttl: number | undefined,
    claimedAt: number,
    tracksAcknowledgements: boolean,
  ) {
    this.key = key;
    this.#token = token;
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

  /** Moves the local position without committing it. */
  reposition(nextOffset: bigint): void {
    const { position, delivered } = this;
    if (this.#dirty) this.#owed = position;
    if (position !== undefined && nextOffset < position) this.#mayGoBack = true;
    // The same position again is another loop over the same log: what the former one handed out still counts.
    const isElsewhere = position !== undefined && nextOffset !== position;
    if (isElsewhere && (nextOffset < position || (delivered !== undefined && nextOffset <= delivered))) {
      this.#wentBack = true;
    }
    this.#moves += 1;
    if (isElsewhere) this.#sentWithin.clear();
    this.#committed = nextOffset;
    this.#committedIsRecord = false;
    this.#dirty = false;
    // What was handed out and not committed is handed out again.
    this.delivered = undefined;
    this.#acknowledgements?.clear();
  }

  /** What to send now; without a position a renewal. With an owner, the record is to be written anew under its name. */
  write(recreateAs?: string): PendingWrite {
    const recreate = recreateAs !== undefined;
    const pending = this.#dirty ? this.position : this.#owed;
    // A record that is written anew must have its position, also when only a renewal was due.
    const nextOffset = pending ?? (recreate ? this.#durable : undefined);
    const ttl = recreate ? (this.#ttlToSend ?? this.ttl) : this.#ttlToSend;
    return {
      state: this,
      current: this.#dirty,
      moves: this.#moves,
      entry: {
        key: this.key,
        nextOffset,
        ttl,
        ...this.claimFor(nextOffset),
        ...(recreate && { recreate, owner: recreateAs }),
      },
    };
  }

  /** Whether the stored position may be of before reading went back, so that it has to be known to go back from there. */
  get mayGoBack(): boolean {
    return this.#mayGoBack;
  }

  /** Takes in what the store has: transactions of the caller's end without the session. */
  learned(stored: bigint | undefined): void {
    if (stored !== undefined && this.#sentWithin.has(stored)) this.#wentThrough();
    this.#durable = stored;
  }

  /** As {@link PartitionState.claimFor}, for an entry in a transaction of the caller's. */
  claimWithin(nextOffset: bigint): Pick<CommitEntry, "token" | "nextToken" | "rewindFrom"> {
    if (this.#mayGoBack) {
      this.#sentWithin.add(nextOffset);
      // A position of before may not land on top of it.
      this.#owed = undefined;
      if (!this.#dirty) this.dirtySince = undefined;
    }
    return this.claimFor(nextOffset);
  }

  /** Whether the claim is getting another token, which a write that was sent earlier does not know of. */
  hasNewerToken({ entry }: PendingWrite): boolean {
    return this.#nextToken !== undefined && entry.nextToken !== this.#nextToken;
  }

  /** The part of an entry that proves the claim, and lets the stored position go back where a reset allowed that. */
  claimFor(nextOffset: bigint | undefined): Pick<CommitEntry, "token" | "nextToken" | "rewindFrom"> {
    const durable = this.#durable;
    const goesBack = this.#mayGoBack && nextOffset !== undefined && durable !== undefined && nextOffset < durable;
    // A write of before whose answer was lost may still arrive: after the rewind it must find another token.
    if (goesBack) this.#nextToken ??= newToken();
    return {
      token: this.#token,
      ...(this.#nextToken !== undefined && { nextToken: this.#nextToken }),
      ...(goesBack && { rewindFrom: durable }),
    };
  }

  /** The store has what was sent. */
  acknowledged({ entry, current, moves }: PendingWrite, sentAt: number): void {
    this.lastWriteAt = sentAt;
    if (entry.nextToken !== undefined) {
      this.#token = entry.nextToken;
      this.#nextToken = undefined;
    }
    if (entry.ttl !== undefined) {
      this.ttl = entry.ttl ?? undefined;
      this.#ttlToSend = undefined;
    }
    if (entry.nextOffset === undefined) return;
    if (current && moves === this.#moves) this.#wentThrough();
    this.#settled(entry.nextOffset, entry.nextOffset, sentAt);
  }

  /** The store was ahead. Gives whether the commit is to be sent again, now that a rewind can name the stored position. */
  behind({ entry }: PendingWrite, record: OffsetRecord, sentAt: number, mayRepeat: boolean): boolean {
    const { nextOffset } = record;
    // A transaction has brought it there, from where reading went back to.
    if (nextOffset !== undefined && this.#sentWithin.has(nextOffset)) this.#wentThrough();
    if (mayRepeat && this.#mayGoBack && nextOffset !== undefined && nextOffset !== entry.rewindFrom) {
      // An earlier write whose answer was lost had arrived; the claim holds, so that position is our own.
      this.#durable = nextOffset;
      return true;
    }
    if (entry.nextOffset !== undefined) this.#settled(entry.nextOffset, nextOffset, sentAt);
    return false;
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

  /** The store has a position of after reading went back. */
  #wentThrough(): void {
    this.#mayGoBack = false;
    this.#sentWithin.clear();
  }

  #settled(sent: bigint, durable: bigint | undefined, sentAt: number): void {
    this.#durable = durable;
    if (this.#owed === sent) this.#owed = undefined;
    if (this.#dirty && this.position === sent) this.#dirty = false;
    this.dirtySince = this.dirty ? sentAt : undefined;
  }
}
