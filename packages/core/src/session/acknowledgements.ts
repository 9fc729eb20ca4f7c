import { MAX_ACKNOWLEDGED_BYTES } from "../driver/entry-validation.ts";
import { rangesText } from "../driver/ranges-text.ts";
import type { OffsetRange } from "../offset-record.ts";

// Fewer ranges than this fit for certain, each takes 47 characters at most; more than that never do, each takes 10 at least.
const FEW_RANGES = 20;
const TOO_MANY_RANGES = 102;

/**
 * Follows records that are delivered in order and acknowledged in any order, and gives the one up to which all are done.
 *
 * Delivered offsets are kept as ranges, so that a million records in flight cost one pair of numbers, and offsets that the
 * log skipped (compaction, transaction markers) are never waited for. What is done beyond the position is kept as ranges
 * too, and is stored with it.
 */
export class Acknowledgements {
  readonly #starts: bigint[] = [];
  readonly #ends: bigint[] = [];
  // The ranges in use are those from #head up to #end; slots are used again, because a record is mostly done before the next.
  #head = 0;
  #end = 0;
  // Done and not passed, in ascending order and apart.
  #done: OffsetRange[];
  // All up to this one are done; kept as it came, because committing a record allocates nothing.
  #through: bigint | undefined;

  /** Begins with what is stored as done. */
  constructor(done: readonly OffsetRange[] = []) {
    this.#done = [...done];
  }

  /** The lowest record that is delivered and not done. */
  get lowest(): bigint | undefined {
    if (this.#head === this.#end) return undefined;
    const start = this.#starts[this.#head];
    return start === undefined || this.#through === undefined || this.#through < start ? start : this.#through + 1n;
  }

  /** Whether what is done is more than can be stored: then nothing more should be handed out. */
  get isFull(): boolean {
    if (this.#done.length > TOO_MANY_RANGES) return true;
    return this.#done.length > FEW_RANGES && rangesText(this.#done).length > MAX_ACKNOWLEDGED_BYTES;
  }

  /** What is done beyond a position, as much as can be stored, the lowest first; `undefined` for nothing. */
  beyond(position: bigint): OffsetRange[] | undefined {
    if (this.#done.length === 0) return undefined;
    const ranges = this.#done
      .filter(({ to }) => to > position + 1n)
      .slice(0, TOO_MANY_RANGES)
      .map(({ from, to }) => ({ from: from > position ? from : position + 1n, to }));
    while (ranges.length > FEW_RANGES && rangesText(ranges).length > MAX_ACKNOWLEDGED_BYTES) ranges.pop();
    return ranges.length === 0 ? undefined : ranges;
  }

  /** The offset after the records from this one on that are done; the offset itself if it is not. */
  doneTo(offset: bigint): bigint {
    return this.#rangeAt(offset)?.to ?? offset;
  }

  /** Whether any record is done and not passed. */
  get isAnyDone(): boolean {
    return this.#done.length > 0;
  }

  /** Whether a record is done. */
  isDone(offset: bigint): boolean {
    if (this.#through !== undefined && offset <= this.#through) return true;
    return this.#done.length > 0 && this.#rangeAt(offset) !== undefined;
  }

  /** A record is handed out. */
  deliver(offset: bigint): void {
    if (this.#through !== undefined && offset <= this.#through) return;
    const last = this.#end > this.#head ? this.#ends[this.#end - 1] : undefined;
    if (last !== undefined && offset === last + 1n) {
      this.#ends[this.#end - 1] = offset;
    } else {
      this.#starts[this.#end] = offset;
      this.#ends[this.#end] = offset;
      this.#end += 1;
    }
  }

  /** A record is done. Gives whether it was not before. */
  acknowledge(offset: bigint): boolean {
    if (!this.#isDelivered(offset) || this.isDone(offset)) return false;
    this.#add(offset);
    return true;
  }

  /** All up to this offset are done. */
  acknowledgeThrough(offset: bigint): void {
    this.#passThrough(offset);
    while (this.#done.length > 0 && (this.#done[0]?.from ?? offset) <= offset) {
      const first = this.#done.shift();
      if (first !== undefined && first.to > offset + 1n) this.#done.unshift({ from: offset + 1n, to: first.to });
    }
  }

  /** Gives the last offset up to which all is done, if that is further than it was. */
  advance(): bigint | undefined {
    let upTo: bigint | undefined;
    for (let done = this.#done[0]; done !== undefined; done = this.#done[0]) {
      const { lowest } = this;
      const isNext = this.#through !== undefined && done.from <= this.#through + 1n;
      if (!isNext && (lowest === undefined || done.from > lowest)) break;
      // What lies before the lowest that is not done was removed from the log, or is passed with it.
      if (isNext || lowest === undefined || done.to > lowest) {
        upTo = done.to - 1n;
        this.#passThrough(upTo);
      }
      this.#done.shift();
    }
    return upTo;
  }

  /** Forgets what was delivered: it is delivered again. With an offset, also what is done before it. */
  clear(doneBefore?: bigint): void {
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#head = 0;
    this.#end = 0;
    this.#through = undefined;
    if (doneBefore !== undefined) this.#done = this.#done.filter(({ to }) => to > doneBefore);
  }

  /** Forgets everything. */
  reset(): void {
    this.clear();
    this.#done = [];
  }

  #passThrough(offset: bigint): void {
    while (this.#head < this.#end && (this.#ends[this.#head] ?? 0n) <= offset) this.#head += 1;
    if (this.#through === undefined || this.#through < offset) this.#through = offset;
    this.#compact();
  }

  #isDelivered(offset: bigint): boolean {
    if (this.#through !== undefined && offset <= this.#through) return false;
    // Ranges are in order: a binary search finds the only one that can hold the offset.
    let low = this.#head;
    let high = this.#end - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (offset < (this.#starts[middle] ?? 0n)) high = middle - 1;
      else if (offset > (this.#ends[middle] ?? 0n)) low = middle + 1;
      else return true;
    }
    return false;
  }

  /** The index of the first range of what is done that ends beyond an offset. */
  #indexAfter(offset: bigint): number {
    let low = 0;
    let high = this.#done.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#done[middle]?.to ?? 0n) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #rangeAt(offset: bigint): OffsetRange | undefined {
    const range = this.#done[this.#indexAfter(offset)];
    return range !== undefined && range.from <= offset ? range : undefined;
  }

  #add(offset: bigint): void {
    const index = this.#indexAfter(offset);
    const before = this.#done[index - 1];
    const after = this.#done[index];
    const joinsBefore = before?.to === offset;
    const joinsAfter = after?.from === offset + 1n;
    const from = joinsBefore ? before.from : offset;
    const to = joinsAfter ? after.to : offset + 1n;
    this.#done.splice(joinsBefore ? index - 1 : index, Number(joinsBefore) + Number(joinsAfter), { from, to });
  }

  #compact(): void {
    if (this.#head === this.#end) {
      this.#head = 0;
      this.#end = 0;
    }
    if (this.#head < 1024 || this.#head * 2 < this.#end) return;
    this.#starts.splice(0, this.#head);
    this.#ends.splice(0, this.#head);
    this.#end -= this.#head;
    this.#head = 0;
  }
}
