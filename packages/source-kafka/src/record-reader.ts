import type { LogRecord, RecordHeader } from "@tidemark/core";
import type { ResultRoom } from "./result-room.ts";

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
 * Reads the records of one batch, as many at a time as there is room for. Keys and values are views of the bytes that came
 * from the broker, which is not written to again; of a batch that is read in parts they are views of a copy, so that few
 * records do not keep a large batch in memory. Every record takes this way, so it makes nothing but the record.
 */
export class RecordReader {
  readonly #bytes: Buffer;
  readonly #origin: BatchOrigin;
  #position = 0;
  #recordsLeft: number;
  /** The number in the batch of the record before. */
  #previous = -1;
  /** What keys and values are views of, and where in the batch it begins. */
  #memory: Buffer;
  #memoryStart = 0;

  constructor(bytes: Buffer, count: number, origin: BatchOrigin) {
    this.#bytes = bytes;
    this.#memory = bytes;
    this.#recordsLeft = count;
    this.#origin = origin;
  }

  /** Of all the batch's records. */
  get byteLength(): number {
    return this.#bytes.length;
  }

  /** Whether no record is left. */
  get isRead(): boolean {
    return this.#recordsLeft <= 0;
  }

  /** Passes over the records whose number in the batch, the offset less the first one's, is less than `from`. */
  skipTo(from: number): void {
    for (; this.#recordsLeft > 0; this.#recordsLeft -= 1) {
      const start = this.#position;
      const end = this.#recordEnd();
      this.#position += 1;
      this.#long();
      const offsetDelta = this.#offsetDelta();
      if (offsetDelta >= from) {
        this.#position = start;
        return;
      }
      this.#previous = offsetDelta;
      this.#position = end;
    }
  }

  /** Adds records to `records` until the batch or the room is at its end. */
  read(room: ResultRoom, records: LogRecord[]): void {
    const { topic, partition, firstOffset, firstTimestampMs, timestampMs } = this.#origin;
    // One sum in floating point is one object on the heap less for each record.
    const first = firstOffset < Number.MAX_SAFE_INTEGER - 2 ** 32 ? Number(firstOffset) : undefined;
    for (let count = this.#beginPart(room); count > 0; count -= 1) {
      const end = this.#recordEnd();
      // Attributes of a record have no meaning yet.
      this.#position += 1;
      const timestampDelta = this.#long();
      const offsetDelta = this.#offsetDelta();
      this.#previous = offsetDelta;
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
      this.#position = end;
      this.#recordsLeft -= 1;
    }
    // With another count records would be left out in silence.
    if (this.isRead && this.#position !== this.#bytes.length)
      throw new Error("a batch's records do not match its record count: it is damaged");
  }

  /** Counts the records that there is room for. */
  #beginPart(room: ResultRoom): number {
    const start = this.#position;
    let count = 0;
    let partEnd = start;
    for (; count < this.#recordsLeft; count += 1) {
      const end = this.#recordEnd();
      if (!room.take(end - partEnd)) break;
      partEnd = end;
      this.#position = end;
    }
    this.#position = start;
    const isWhole = start === 0 && count === this.#recordsLeft;
    this.#memory = isWhole ? this.#bytes : Buffer.from(this.#bytes.subarray(start, partEnd));
    this.#memoryStart = isWhole ? 0 : start;
    return count;
  }

  #recordEnd(): number {
    const length = this.#integer();
    const end = this.#position + length;
    if (length < 0 || end > this.#bytes.length) throw damaged();
    return end;
  }

  #offsetDelta(): number {
    const offsetDelta = this.#integer();
    // Out of order a record would be left out, or come twice.
    if (offsetDelta <= this.#previous || offsetDelta > this.#origin.lastDelta)
      throw new Error("a record's offset is out of order: it is damaged");
    return offsetDelta;
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
    return this.#memory.subarray(start - this.#memoryStart, next - this.#memoryStart);
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
