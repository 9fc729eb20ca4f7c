import type { OffsetKey } from "../key.ts";
import type { OffsetRange, OffsetRecord } from "../offset-record.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { RecordPosition } from "./offset-session.ts";
import { PositionMarks } from "./position-marks.ts";
import { Era, stamp } from "./record-era.ts";

/**
 * How far one partition is read: what is handed out, what of it is done, and the position that follows from it.
 *
 * A commit keeps the record's own offset and no sum: bigints live on the heap, and the hot path allocates nothing. The
 * position is computed when it is sent.
 */
export class PartitionProgress {
  readonly key: OffsetKey;
  /** The claim's epoch: the fencing token for what users write elsewhere. 0 where there is no claim. */
  epoch = 0;
  /** Which records an acknowledgement may be of. */
  era: Era;
  /** Since when something committed is not durable, by the monotonic clock. */
  dirtySince = 0;
  /** How often something was committed. */
  changes = 0;
  /** Whether it was lost, or let go of: nothing more of it is handed out. */
  isOver = false;
  /** Is called when there is something to store, and was nothing before. */
  onDirty: (() => void) | undefined;
  /** The last record handed out since reading was begun or moved. */
  delivered: bigint | undefined;

  readonly #session: object;
  readonly #acknowledgements: Acknowledgements;
  #committed: bigint | undefined;
  // Whether #committed is a record's offset (the position is one more) or a position itself.
  #committedIsRecord = false;
  // The highest record handed out in this era; a second loop hands out some of them again.
  #highest: bigint | undefined;
  // Where to continue when all that was handed out is committed: the log has no record before it.
  #passedTo: bigint | undefined;
  #marks: PositionMarks;
  // How many of the changes are durable.
  #durableChanges = 0;

  /** Begins with what is stored, if anything is. */
  constructor(session: object, key: OffsetKey, stored?: Pick<OffsetRecord, "nextOffset" | "mark" | "acknowledged">) {
    this.key = key;
    this.#session = session;
    this.era = new Era(session);
    this.#committed = stored?.nextOffset;
    this.#marks = new PositionMarks(stored?.mark);
    this.#acknowledgements = new Acknowledgements(stored?.acknowledged);
  }

  /** Whether something committed is not durable. */
  get isDirty(): boolean {
    return this.changes !== this.#durableChanges;
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

  /** A record is handed out that {@link commitHandedOut} commits. `false`: it is not, because it is done, or no longer held. */
  handOut(offset: bigint, mark: string | undefined): boolean {
    if (this.isOver) return false;
    if (this.isDone(offset)) {
      this.passOver(this.#acknowledgements.doneTo(offset));
      return false;
    }
    this.#note(offset, mark);
    return true;
  }

  /** A record is handed out, and is committed with that. Nothing is checked: the position is not stored. */
  passOn(offset: bigint, mark: string | undefined): true {
    this.#marks.note(offset, mark);
    this.#committed = offset;
    this.#committedIsRecord = true;
    return true;
  }

  /** A record is handed out, and `acknowledge` may say in any order that it is done. `false`: it is not, as with `handOut`. */
  deliver(record: RecordPosition, mark: string | undefined): boolean {
    if (this.isOver) return false;
    const { offset } = record;
    stamp(record, this.era);
    this.#note(offset, mark);
    if (this.#highest === undefined || offset > this.#highest) this.#highest = offset;
    this.#acknowledgements.deliver(offset);
    if (!this.isDone(offset)) return true;
    this.#settle();
    return false;
  }

  /** The log has no record between what was handed out last and this offset. */
  passOver(nextOffset: bigint): void {
    this.#passedTo = nextOffset;
    const { position } = this;
    if (position === undefined || position >= nextOffset) return;
    if (this.delivered === undefined || position > this.delivered) this.#moveTo(nextOffset);
  }

  /** Commits all that was handed out. On the way of every record of an `auto` consumer: nothing is compared. */
  commitHandedOut(): void {
    if (this.delivered === undefined) return;
    if (this.#passedTo !== undefined) return this.#moveTo(this.#passedTo);
    this.#committed = this.delivered;
    this.#committedIsRecord = true;
    this.changed();
  }

  /** Commits up to and with a record. */
  commit(offset: bigint): void {
    this.refuseUndelivered(offset);
    this.#acknowledgements.acknowledgeThrough(offset);
    this.#commitRecord(this.#acknowledgements.advance() ?? offset);
  }

  /** Acknowledges one record. */
  acknowledge(offset: bigint): void {
    if (this.#highest === undefined) {
      throw new RangeError(`no record of ${this.#name} was delivered: call deliver(record) before acknowledge(record)`);
    }
    this.refuseUndelivered(offset);
    if (!this.#acknowledgements.acknowledge(offset)) return;
    // Without a position there is nothing to store with it what is done beyond.
    if (!this.#settle() && this.#committed !== undefined) this.changed();
  }

  /** A transaction has stored this position: the records before it are done. */
  passedWithin(nextOffset: bigint): void {
    this.#acknowledgements.acknowledgeThrough(nextOffset - 1n);
    const { position } = this;
    if (position === undefined || position < nextOffset) {
      this.#committed = nextOffset;
      this.#committedIsRecord = false;
    }
    // Nothing is left of them to be committed, but what the log has no records for after them.
    if (this.delivered !== undefined && this.delivered < nextOffset) {
      this.delivered = undefined;
      if (this.#passedTo !== undefined) this.passOver(this.#passedTo);
    }
    this.#settle();
  }

  /** Reading continues at a position, where none is. */
  beginAt(nextOffset: bigint, mark: string | undefined): void {
    this.#marks = new PositionMarks(mark);
    this.#moveTo(nextOffset);
  }

  /** Reading continues elsewhere: what was handed out before is of another era. */
  resetTo(nextOffset: bigint, reason: string, mark: string | undefined): void {
    this.era = new Era(this.#session);
    this.#highest = undefined;
    this.reread();
    // What retention removed was of the same log: what is done beyond the new position still is.
    if (reason === "below-log") this.#acknowledgements.clear(nextOffset);
    else this.#acknowledgements.reset();
    this.beginAt(nextOffset, mark);
  }

  /** What was handed out and not committed is handed out again. */
  reread(): void {
    this.delivered = undefined;
    this.#passedTo = undefined;
    this.#acknowledgements.clear();
  }

  /** Whether a record is the lowest that is handed out and not done. Where nothing was handed out, what lies before is done. */
  isNext(offset: bigint): boolean {
    const { lowest } = this.#acknowledgements;
    if (lowest !== undefined) return lowest === offset;
    return this.#highest === undefined && (this.position ?? 0n) <= offset;
  }

  /** A record that was not handed out cannot be done. Where nothing was handed out at all, any offset may be. */
  refuseUndelivered(offset: bigint): void {
    const { delivered } = this;
    const isHigher = this.#highest === undefined || (delivered !== undefined && delivered > this.#highest);
    const highest = isHigher ? delivered : this.#highest;
    if (highest === undefined || offset <= highest) return;
    throw new RangeError(
      `record ${offset} of ${this.#name} was never delivered: the last one was ${highest}; commit only records that were delivered`,
    );
  }

  /** There is something new to store. */
  changed(): void {
    const wasClean = !this.isDirty;
    this.changes += 1;
    if (!wasClean) return;
    this.dirtySince = performance.now();
    this.onDirty?.();
  }

  /** So many of the changes are durable, with this position; the others wait since then. */
  durable(changes: number, position: bigint | undefined, since: number): void {
    this.#durableChanges = changes;
    this.dirtySince = since;
    if (position !== undefined) this.#marks.settle(position);
  }

  get #name(): string {
    return `partition ${this.key.partition} of topic ${JSON.stringify(this.key.topic)}`;
  }

  #note(offset: bigint, mark: string | undefined): void {
    this.delivered = offset;
    this.#passedTo = undefined;
    this.#marks.note(offset, mark);
  }

  /** Moves the position past what is done. Gives whether there was something to be moved past. */
  #settle(): boolean {
    const upTo = this.#acknowledgements.advance();
    if (upTo !== undefined) this.#commitRecord(upTo);
    return upTo !== undefined;
  }

  #moveTo(nextOffset: bigint): void {
    this.#committed = nextOffset;
    this.#committedIsRecord = false;
    this.changed();
  }

  #commitRecord(offset: bigint): void {
    const committed = this.#committed;
    if (committed !== undefined && (this.#committedIsRecord ? offset <= committed : offset < committed)) return;
    if (this.#passedTo !== undefined && offset === this.delivered) return this.#moveTo(this.#passedTo);
    this.#committed = offset;
    this.#committedIsRecord = true;
    this.changed();
  }
}
