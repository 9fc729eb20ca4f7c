import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { compressionsAlgorithmsByBitmask } from "@platformatic/kafka";
import type { LogRecord } from "@tidemark/core";
import type { AbortedTransaction, PartitionAnswer } from "./fetch-api.ts";
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
// The second number in the key of a control record.
const ABORT_MARKER = 0;
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

/** What an answer holds from an offset on. */
interface DecodedRecords {
  readonly records: LogRecord[];
  /** Past all that was looked at: records, what compaction left of batches, and the markers of transactions. */
  readonly nextOffset: bigint;
  /** Of the leader that wrote all that was looked at. Absent: nothing was. */
  readonly leaderEpoch?: number;
}

/** The batches of an answer, and why what comes after them could not be read, if it could not. */
interface SplitBatches {
  readonly batches: readonly RecordBatch[];
  readonly damage?: Error;
}

/** Finds the batches in an answer. Its last one may be cut off, and is left out then. */
export function splitBatches(bytes: Buffer): SplitBatches {
  const batches: RecordBatch[] = [];
  try {
    for (let start = 0; start + BEFORE_LENGTH <= bytes.length;) {
      const end = start + BEFORE_LENGTH + bytes.readInt32BE(start + LENGTH_AT);
      if (end > bytes.length) break;
      batches.push(batchOf(bytes.subarray(start, Math.max(start, end))));
      start = end;
    }
  } catch (error) {
    return { batches, damage: error instanceof Error ? error : new Error(String(error), { cause: error }) };
  }
  return { batches };
}

function batchOf(bytes: Buffer): RecordBatch {
  const version = bytes.length > VERSION_AT ? bytes.readInt8(VERSION_AT) : -1;
  if (version === 0 || version === 1) throw new UnsupportedBatchError("records in the format from before Kafka 0.11");
  if (version !== VERSION || bytes.length < RECORDS_AT)
    throw new Error("what should be a batch is none: it is damaged");
  const firstOffset = bytes.readBigInt64BE();
  const lastOffset = firstOffset + BigInt(bytes.readInt32BE(LAST_OFFSET_DELTA_AT));
  if (lastOffset < firstOffset) throw new Error("a batch ends before it begins: it is damaged");
  if (firstOffset < 0n || lastOffset >= LARGEST_OFFSET)
    throw new Error("a batch has no offsets of a log: it is damaged");
  return { firstOffset, lastOffset, leaderEpoch: bytes.readInt32BE(LEADER_EPOCH_AT), bytes };
}

/**
 * Reads the records from `offset` on. Batches come whole and may begin earlier. Markers of transactions are no records, and
 * of the aborted transactions that the answer tells (with the isolation `read_committed`) no record is given. Ends where
 * another leader began to write, and before a batch that cannot be read; if that is the first one it throws: nobody has to pass
 * over what comes before it.
 */
export function decodeRecords(
  topic: string,
  partition: number,
  offset: bigint,
  answer: Pick<PartitionAnswer, "abortedTransactions" | "batches" | "damage">,
): DecodedRecords {
  const records: LogRecord[] = [];
  const aborted = new AbortedProducers(answer.abortedTransactions);
  let nextOffset = offset;
  let leaderEpoch: number | undefined;
  for (const batch of answer.batches) {
    if (batch.lastOffset >= offset && leaderEpoch !== undefined && batch.leaderEpoch !== leaderEpoch) break;
    const before = records.length;
    try {
      if (!aborted.hides(batch) && batch.lastOffset >= offset) readBatch(topic, partition, offset, batch, records);
    } catch (error) {
      if (nextOffset === offset) throw error;
      records.length = before;
      break;
    }
    if (batch.lastOffset >= nextOffset) {
      nextOffset = batch.lastOffset + 1n;
      leaderEpoch = batch.leaderEpoch;
    }
  }
  if (answer.damage !== undefined && nextOffset === offset) throw answer.damage;
  return { records, nextOffset, ...(leaderEpoch !== undefined && { leaderEpoch }) };
}

function readBatch(topic: string, partition: number, offset: bigint, batch: RecordBatch, records: LogRecord[]): void {
  const { firstOffset, lastOffset, bytes } = batch;
  const isBrokersTime = (bytes.readInt16BE(ATTRIBUTES_AT) & LOG_APPEND_TIME) !== 0;
  const reader = new RecordReader(recordBytes(batch), {
    topic,
    partition,
    firstOffset,
    lastDelta: Number(lastOffset - firstOffset),
    firstTimestampMs: Number(bytes.readBigInt64BE(FIRST_TIMESTAMP_AT)),
    ...(isBrokersTime && { timestampMs: Number(bytes.readBigInt64BE(MAX_TIMESTAMP_AT)) }),
  });
  const from = offset > firstOffset ? Number(offset - firstOffset) : 0;
  reader.read(bytes.readInt32BE(COUNT_AT), from, records);
}

/** A batch's records, uncompressed. */
function recordBytes({ bytes }: RecordBatch): Buffer {
  const records = bytes.subarray(RECORDS_AT);
  const compression = bytes.readInt16BE(ATTRIBUTES_AT) & COMPRESSION;
  if (compression === 0) return records;
  const algorithm = compressionsAlgorithmsByBitmask[compression];
  if (algorithm?.available !== true) {
    throw new UnsupportedBatchError(
      `this version of Node.js cannot uncompress method ${compression} of Kafka's protocol`,
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

/** Follows through the batches of an answer which producers are in a transaction that was aborted. */
class AbortedProducers {
  readonly #begins: AbortedTransaction[];
  readonly #producers = new Set<bigint>();

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#begins = transactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  /** Whether a batch's records are not to be seen: markers, and what was aborted. */
  hides(batch: RecordBatch): boolean {
    const { bytes, lastOffset } = batch;
    for (let next = this.#begins[0]; next !== undefined && next.firstOffset <= lastOffset; next = this.#begins[0]) {
      this.#producers.add(next.producerId);
      this.#begins.shift();
    }
    const attributes = bytes.readInt16BE(ATTRIBUTES_AT);
    if ((attributes & (CONTROL | TRANSACTIONAL)) === 0) return false;
    const producerId = bytes.readBigInt64BE(PRODUCER_ID_AT);
    if ((attributes & CONTROL) === 0) return this.#producers.has(producerId);
    const [marker] = new RecordReader(recordBytes(batch), NOWHERE).read(bytes.readInt32BE(COUNT_AT), 0, []);
    if (marker?.key instanceof Buffer && marker.key.readInt16BE(2) === ABORT_MARKER) this.#producers.delete(producerId);
    return true;
  }
}

const NOWHERE = { topic: "", partition: 0, firstOffset: 0n, lastDelta: 2 ** 31 - 1, firstTimestampMs: 0 } as const;
