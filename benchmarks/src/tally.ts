const VALUE_BYTES = 100;

/** The value of the record of a number: 100 bytes that begin with it. */
export function valueOf(number: number): Buffer {
  const value = Buffer.alloc(VALUE_BYTES, number & 0xff);
  value.writeUInt32BE(number);
  return value;
}

/** Counts the records of {@link valueOf} as they come, and can tell whether all came, once each. */
export class Tally {
  readonly #records: number;
  #count = 0;
  #sum = 0;
  #bytes = 0;

  constructor(records: number) {
    this.#records = records;
  }

  /** Whether as many came as there are. */
  get complete(): boolean {
    return this.#count === this.#records;
  }

  /** Takes a record's value, looking at no more of it than its number. */
  take(value: Uint8Array | null | undefined): void {
    if (value === null || value === undefined) return;
    const [first = 0, second = 0, third = 0, fourth = 0] = [value[0], value[1], value[2], value[3]];
    this.#count += 1;
    this.#sum += ((first * 256 + second) * 256 + third) * 256 + fourth;
    this.#bytes += value.length;
  }

  /** Throws unless each record came once: by their count, the sum of their numbers, and that of their bytes. */
  check(who: string): void {
    const records = this.#records;
    const isWhole =
      this.complete && this.#sum === (records * (records - 1)) / 2 && this.#bytes === records * VALUE_BYTES;
    if (!isWhole) throw new Error(`${who} read ${this.#count} records, sum ${this.#sum}, of ${records}`);
  }
}
