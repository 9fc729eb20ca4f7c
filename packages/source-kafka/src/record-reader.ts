import type { LogRecord, RecordHeader } from "@tidemark/core";

const NO_BYTES = Buffer.alloc(0);
const NO_HEADERS: readonly RecordHeader[] = Object.freeze([]);
const MORE_BYTES = 0x80;
const SEVEN_BITS = 0x7f;

/** What the records of a batch have in common. */
export interface BatchOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: bigint;
  /** The number in the batch that the last of its records had when it was written. */
  readonly lastDelta: number;
  /** What the records' own times count from. */
  readonly firstTimestampMs: number;
  /** The time of all of them, where the broker gives it. */
  readonly timestampMs?: number;
}

/**
 * Reads the records of one batch. Keys and values are views of the bytes that came from the broker, which nobody writes to
 * again. Every record takes this way, so it makes nothing but the record.
 */
export class RecordReader {
  readonly #bytes: Buffer;
  readonly #origin: BatchOrigin;
  #position = 0;

  constructor(bytes: Buffer, origin: BatchOrigin) {
    this.#bytes = bytes;
    this.#origin = origin;
  }

  /** Adds to `records` those of the batch whose number in it, its offset less the first one's, is at least `from`. */
  read(count: number, from: number, records: LogRecord[]): LogRecord[] {
    const { topic, partition, firstOffset, lastDelta, firstTimestampMs, timestampMs } = this.#origin;
    let previous = -1;
    // One sum in floating point is one object on the heap less for each record.
    const first = firstOffset < Number.MAX_SAFE_INTEGER - 2 ** 32 ? Number(firstOffset) : undefined;
    for (let index = 0; index < count; index += 1) {
      const length = this.#integer();
      const end = this.#position + length;
      if (length < 0 || end > this.#bytes.length) throw damaged();
      // Attributes of a record have no meaning yet.
      this.#position += 1;
      const timestampDelta = this.#long();
      const offsetDelta = this.#integer();
      // Out of order a record would be left out, or come twice.
      if (offsetDelta <= previous || offsetDelta > lastDelta)
        throw new Error("a record is not in its place: it is damaged");
      previous = offsetDelta;
      if (offsetDelta >= from) {
        const offset = first === undefined ? firstOffset + BigInt(offsetDelta) : BigInt(first + offsetDelta);
        const key = this.#view(end);
        const value = this.#view(end);
        records.push({
          topic,
          partition,
          offset,
          timestampMs: timestampMs ?? firstTimestampMs + timestampDelta,
          key,
          value,
          headers: this.#headers(end),
        });
      }
      this.#position = end;
    }
    // With another count records would be left out in silence.
    if (this.#position !== this.#bytes.length)
      throw new Error("a batch has other records than it tells: it is damaged");
    return records;
  }

  #headers(end: number): readonly RecordHeader[] {
    const count = this.#integer();
    if (count === 0) return NO_HEADERS;
    const headers: RecordHeader[] = [];
    for (let index = 0; index < count; index += 1) {
      const name = this.#view(end)?.toString() ?? "";
      headers.push({ name, value: this.#view(end) ?? NO_BYTES });
    }
    return headers;
  }

  #view(end: number): Buffer | null {
    const length = this.#integer();
    if (length < 0) return null;
    const start = this.#position;
    const next = start + length;
    if (next > end) throw damaged();
    this.#position = next;
    return this.#bytes.subarray(start, next);
  }

  /** A signed number of up to 32 bits: 7 bits in a byte, the low ones first, the sign in the lowest. */
  #integer(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#position++] ?? 0;
    let raw = byte & SEVEN_BITS;
    for (let shift = 7; byte >= MORE_BYTES; shift += 7) {
      byte = bytes[this.#position++] ?? 0;
      raw |= (byte & SEVEN_BITS) << shift;
      if (shift > 28) throw damaged();
    }
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** The same of up to 64 bits; exact to 2^53, which is where times in milliseconds end. */
  #long(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#position++] ?? 0;
    let raw = byte & SEVEN_BITS;
    let shift = 7;
    for (; byte >= MORE_BYTES && shift < 28; shift += 7) {
      byte = bytes[this.#position++] ?? 0;
      raw |= (byte & SEVEN_BITS) << shift;
    }
    if (byte < MORE_BYTES) return (raw >>> 1) ^ -(raw & 1);
    let wide = BigInt(raw);
    for (; byte >= MORE_BYTES; shift += 7) {
      byte = bytes[this.#position++] ?? 0;
      wide |= BigInt(byte & SEVEN_BITS) << BigInt(shift);
      if (shift > 63) throw damaged();
    }
    return Number((wide >> 1n) ^ -(wide & 1n));
  }
}

function damaged(): Error {
  return new Error("a record runs over the end of its batch");
}
