import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { compressionsAlgorithmsByBitmask } from "@platformatic/kafka";
import { RecordReader } from "./record-reader.ts";

// Where the fields of a batch of version 2 are, the only one since Kafka 0.11.
const LENGTH_AT = 8;
const LEADER_EPOCH_AT = 12;
const VERSION_AT = 16;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const FIRST_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const COUNT_AT = 57;
const RECORDS_AT = 61;
/** The length counts what comes after it. */
const BEFORE_LENGTH = 12;
const VERSION = 2;
// Bits of a batch's attributes.
const COMPRESSION = 0b111;
const LOG_APPEND_TIME = 1 << 3;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const GZIP = 1;
const ZSTD = 4;
/**
 * What a batch may come to. A few kilobytes of gzip or zstd can come to more than the process has memory, and it would die of
 * them at each start without a word. The other two methods give at most 255 times what they take.
 */
const MAX_BATCH_BYTES = 512 * 1024 * 1024;
const LARGEST_OFFSET = 2n ** 63n - 1n;

/** A batch is whole, and in a form that cannot be read here. */
export class UnsupportedBatchError extends Error {
  override readonly name = "UnsupportedBatchError";
}

/** A batch as it came from the broker, its records not looked at. */
export interface RecordBatch {
  readonly firstOffset: bigint;
  /** Of the last record that it had when it was written; compaction may have taken that one out. */
  readonly lastOffset: bigint;
  /** Of the leader that wrote it. */
  readonly leaderEpoch: number;
  readonly bytes: Buffer;
}

/** The batch at a place in an answer. Absent: it ends there, or its last batch is cut off. */
export function batchAt(bytes: Buffer, start: number): RecordBatch | undefined {
  return isWholeAt(bytes, start) ? batchOf(bytes.subarray(start, Math.max(start, endAt(bytes, start)))) : undefined;
}

/** Whether an answer has more at a place than a part of a batch. */
export function isWholeAt(bytes: Buffer, start: number): boolean {
  return start + BEFORE_LENGTH <= bytes.length && endAt(bytes, start) <= bytes.length;
}

/** Whether an answer brings a fetch at an offset any further, or shows by its damage why it cannot. */
export function reaches(bytes: Buffer, offset: bigint): boolean {
  try {
    for (let start = 0; ;) {
      const batch = batchAt(bytes, start);
      if (batch === undefined || batch.lastOffset >= offset) return batch !== undefined;
      start += batch.bytes.length;
    }
  } catch {
    return true;
  }
}

function endAt(bytes: Buffer, start: number): number {
  return start + BEFORE_LENGTH + bytes.readInt32BE(start + LENGTH_AT);
}

function batchOf(bytes: Buffer): RecordBatch {
  const version = bytes.length > VERSION_AT ? bytes.readInt8(VERSION_AT) : -1;
  if (version === 0 || version === 1) throw new UnsupportedBatchError("records in the format from before Kafka 0.11");
  if (version !== VERSION || bytes.length < RECORDS_AT) throw new Error("a batch has no valid header: it is damaged");
  const firstOffset = bytes.readBigInt64BE();
  const lastOffset = firstOffset + BigInt(bytes.readInt32BE(LAST_OFFSET_DELTA_AT));
  if (lastOffset < firstOffset) throw new Error("a batch's last offset is below its first: it is damaged");
  if (firstOffset < 0n || lastOffset >= LARGEST_OFFSET)
    throw new Error("a batch's offsets are out of range: it is damaged");
  return { firstOffset, lastOffset, leaderEpoch: bytes.readInt32BE(LEADER_EPOCH_AT), bytes };
}

/** What a batch is in a transaction. */
export function transactionOf({ bytes }: RecordBatch): { kind: "none" | "records" | "marker"; producerId: bigint } {
  const attributes = bytes.readInt16BE(ATTRIBUTES_AT);
  const producerId = bytes.readBigInt64BE(PRODUCER_ID_AT);
  if ((attributes & CONTROL) !== 0) return { kind: "marker", producerId };
  return { kind: (attributes & TRANSACTIONAL) === 0 ? "none" : "records", producerId };
}

/** Whether a batch's records take memory of their own once they are uncompressed. */
export function isCompressed({ bytes }: RecordBatch): boolean {
  return (bytes.readInt16BE(ATTRIBUTES_AT) & COMPRESSION) !== 0;
}

/** Uncompresses a batch, to read its records. */
export function openBatch(topic: string, partition: number, batch: RecordBatch): RecordReader {
  const { firstOffset, lastOffset, bytes } = batch;
  const isBrokersTime = (bytes.readInt16BE(ATTRIBUTES_AT) & LOG_APPEND_TIME) !== 0;
  return new RecordReader(recordBytes(batch), bytes.readInt32BE(COUNT_AT), {
    topic,
    partition,
    firstOffset,
    lastDelta: Number(lastOffset - firstOffset),
    firstTimestampMs: Number(bytes.readBigInt64BE(FIRST_TIMESTAMP_AT)),
    ...(isBrokersTime && { timestampMs: Number(bytes.readBigInt64BE(MAX_TIMESTAMP_AT)) }),
  });
}

/** A batch's records, uncompressed. */
function recordBytes({ bytes }: RecordBatch): Buffer {
  const records = bytes.subarray(RECORDS_AT);
  const compression = bytes.readInt16BE(ATTRIBUTES_AT) & COMPRESSION;
  if (compression === 0) return records;
  const algorithm = compressionsAlgorithmsByBitmask[compression];
  if (algorithm?.available !== true) {
    throw new UnsupportedBatchError(
      `this version of Node.js does not support compression method ${compression} of Kafka's protocol`,
    );
  }
  try {
    if (compression === GZIP) return gunzipSync(records, { maxOutputLength: MAX_BATCH_BYTES });
    if (compression === ZSTD) return zstdDecompressSync(records, { maxOutputLength: MAX_BATCH_BYTES });
    return algorithm.decompressSync(records);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UnsupportedBatchError(`a batch is larger than ${MAX_BATCH_BYTES} bytes when it is uncompressed`, {
      cause: error,
    });
  }
}
