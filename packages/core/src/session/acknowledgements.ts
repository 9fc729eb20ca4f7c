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
  #head = 0;
  #followsLast: bigint | undefined;

  /** A record is handed out. */
  deliver(offset: bigint): void {
    const last = this.#ends.length - 1;
    if (offset === this.#followsLast && last >= this.#head) {
      this.#ends[last] = offset;
    } else {
      this.#starts.push(offset);
      this.#ends.push(offset);
    }
    this.#followsLast = offset + 1n;
  }

  /** A record is done. Gives the last offset up to which all delivered ones are, if that moved. */
  acknowledge(offset: bigint): bigint | undefined {
    if (!this.#isOutstanding(offset)) return undefined;
    this.#done.add(offset);
    let upTo: bigint | undefined;
    for (let lowest = this.#lowest(); lowest !== undefined && this.#done.delete(lowest); lowest = this.#lowest()) {
      upTo = lowest;
      this.#advancePast(lowest);
    }
    return upTo;
  }

  /** All up to this offset are done. */
  acknowledgeThrough(offset: bigint): void {
    while (this.#head < this.#ends.length && (this.#ends[this.#head] ?? 0n) <= offset) this.#head += 1;
    const start = this.#starts[this.#head];
    if (start !== undefined && start <= offset) this.#starts[this.#head] = offset + 1n;
    if (this.#done.size > 0) {
      for (const done of this.#done) if (done <= offset) this.#done.delete(done);
    }
    this.#compact();
  }

  /** Forgets everything: reading goes on elsewhere. */
  clear(): void {
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#done.clear();
    this.#head = 0;
    this.#followsLast = undefined;
  }

  #lowest(): bigint | undefined {
    return this.#starts[this.#head];
  }

  #advancePast(offset: bigint): void {
    if (offset === this.#ends[this.#head]) this.#head += 1;
    else this.#starts[this.#head] = offset + 1n;
    this.#compact();
  }

  #isOutstanding(offset: bigint): boolean {
    // Ranges are in order: a binary search finds the only one that can hold the offset.
    let low = this.#head;
    let high = this.#starts.length - 1;
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
    if (this.#head < 1024 || this.#head * 2 < this.#starts.length) return;
    this.#starts.splice(0, this.#head);
    this.#ends.splice(0, this.#head);
    this.#head = 0;
  }
}
