/**
 * Follows records that are delivered in order and acknowledged in any order, and tells up to which one all are done.
 *
 * Delivered offsets are kept as ranges, so that a million records in flight cost one pair of numbers, and offsets that the
 * log skipped (compaction, transaction markers) are never waited for.
 */
export class Acknowledgements {
  readonly #starts: bigint[] = [];
  readonly #ends: bigint[] = [];
  readonly #done = new Set<bigint>();
  // The ranges in use are those from #head up to #end; slots are used again, because a record is mostly done before the next.
  #head = 0;
  #end = 0;
  // All up to this one are done; kept as it came, because committing a record allocates nothing.
  #through: bigint | undefined;

  /** A record is handed out. */
  deliver(offset: bigint): void {
    const last = this.#end > this.#head ? this.#ends[this.#end - 1] : undefined;
    if (last !== undefined && offset === last + 1n) {
      this.#ends[this.#end - 1] = offset;
    } else {
      this.#starts[this.#end] = offset;
      this.#ends[this.#end] = offset;
      this.#end += 1;
    }
  }

  /** A record is done. Gives the last offset up to which all delivered ones are, if that moved. */
  acknowledge(offset: bigint): bigint | undefined {
    if (!this.#isOutstanding(offset)) return undefined;
    this.#done.add(offset);
    return this.#advance();
  }

  /** All up to this offset are done. Gives the last offset up to which all delivered ones are, if that is further. */
  acknowledgeThrough(offset: bigint): bigint | undefined {
    while (this.#head < this.#end && (this.#ends[this.#head] ?? 0n) <= offset) this.#head += 1;
    if (this.#through === undefined || this.#through < offset) this.#through = offset;
    this.#compact();
    if (this.#done.size === 0) return undefined;
    for (const done of this.#done) if (done <= offset) this.#done.delete(done);
    return this.#advance();
  }

  /** Forgets everything: reading goes on elsewhere. */
  clear(): void {
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#done.clear();
    this.#head = 0;
    this.#end = 0;
    this.#through = undefined;
  }

  #advance(): bigint | undefined {
    let upTo: bigint | undefined;
    for (let lowest = this.#lowest(); lowest !== undefined && this.#done.delete(lowest); lowest = this.#lowest()) {
      upTo = lowest;
      this.#through = lowest;
      if (lowest === this.#ends[this.#head]) this.#head += 1;
    }
    this.#compact();
    return upTo;
  }

  #lowest(): bigint | undefined {
    if (this.#head === this.#end) return undefined;
    const start = this.#starts[this.#head];
    return start === undefined || this.#through === undefined || this.#through < start ? start : this.#through + 1n;
  }

  #isOutstanding(offset: bigint): boolean {
    if (this.#through !== undefined && offset <= this.#through) return false;
    // Ranges are in order: a binary search finds the only one that can hold the offset.
    let low = this.#head;
    let high = this.#end - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const start = this.#starts[middle] ?? 0n;
      const end = this.#ends[middle] ?? 0n;
      if (offset < start) high = middle - 1;
      else if (offset > end) low = middle + 1;
      else return true;
    }
    return false;
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
