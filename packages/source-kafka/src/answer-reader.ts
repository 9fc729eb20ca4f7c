import type { LogRecord } from "@tidemark/core";
import { AbortedProducers } from "./aborted-producers.ts";
import type { PartitionAnswer } from "./fetch-api.ts";
import { batchAt, isCompressed, isWholeAt, openBatch, type RecordBatch } from "./record-batches.ts";
import type { RecordReader } from "./record-reader.ts";
import { ResultRoom } from "./result-room.ts";

/** What was read of an answer at once. */
export interface AnswerPart {
  readonly records: readonly LogRecord[];
  /** Past all that was looked at: records, what compaction left of batches, and the markers of transactions. */
  readonly nextOffset: bigint;
  /** Of the leader that wrote all that was looked at. Absent: nothing was. */
  readonly leaderEpoch?: number;
}

/**
 * Reads the records of one answer from an offset on, in parts, and uncompresses one batch at a time. Batches may begin before
 * the offset. Markers of transactions are no records, and of the aborted transactions that the answer names (with the
 * isolation `read_committed`) no record is given.
 */
export class AnswerReader {
  readonly #topic: string;
  readonly #partition: number;
  readonly #bytes: Buffer;
  readonly #aborted: AbortedProducers;
  #nextOffset: bigint;
  /** The batch that is read, and where it begins. */
  #batch: RecordBatch | undefined;
  #position = 0;
  /** Of that batch. */
  #reader: RecordReader | undefined;
  /** Whether some records of that batch were given, so that it is known to be one that is seen. */
  #isBegun = false;
  #isBroken = false;

  constructor(
    topic: string,
    partition: number,
    offset: bigint,
    { bytes, abortedTransactions }: Pick<PartitionAnswer, "bytes" | "abortedTransactions">,
  ) {
    this.#topic = topic;
    this.#partition = partition;
    this.#nextOffset = offset;
    this.#bytes = bytes;
    this.#aborted = new AbortedProducers(abortedTransactions);
  }

  /** Whether there is another part. */
  get hasMore(): boolean {
    return !this.#isBroken && isWholeAt(this.#bytes, this.#position);
  }

  /** Of the answer. */
  get byteLength(): number {
    return this.#bytes.length;
  }

  /** What is uncompressed of it now. */
  get uncompressedLength(): number {
    if (this.#batch === undefined || this.#reader === undefined || !isCompressed(this.#batch)) return 0;
    return this.#reader.byteLength;
  }

  /** Gives back the memory of what is uncompressed. The next part uncompresses it again. */
  forgetUncompressed(): void {
    this.#reader = undefined;
  }

  /**
   * Reads on, for as much as fits into so many bytes of memory and at least one record. Ends where another leader began to
   * write, and before a batch that cannot be read; if that is the first it throws: no caller has to pass over what comes
   * before it.
   */
  read(maxBytes: number): AnswerPart {
    const from = this.#nextOffset;
    const room = new ResultRoom(maxBytes);
    const records: LogRecord[] = [];
    let leaderEpoch: number | undefined;
    try {
      while (!room.isFull) {
        this.#batch ??= batchAt(this.#bytes, this.#position);
        const batch = this.#batch;
        if (batch === undefined) break;
        if (leaderEpoch !== undefined && batch.leaderEpoch !== leaderEpoch) break;
        const before = this.#nextOffset;
        const isRead = this.#readBatch(batch, room, records);
        if (this.#nextOffset > before) ({ leaderEpoch } = batch);
        if (!isRead) break;
      }
    } catch (error) {
      this.#isBroken = true;
      if (this.#nextOffset === from) throw error;
    }
    return { records, nextOffset: this.#nextOffset, ...(leaderEpoch !== undefined && { leaderEpoch }) };
  }

  /** Whether it is read to its end. */
  #readBatch(batch: RecordBatch, room: ResultRoom, records: LogRecord[]): boolean {
    if (!this.#isBegun && (this.#aborted.hides(batch) || batch.lastOffset < this.#nextOffset)) {
      room.pass();
      this.#finish(batch);
      return true;
    }
    this.#isBegun = true;
    this.#reader ??= this.#open(batch);
    const before = records.length;
    try {
      this.#reader.read(room, records);
    } catch (error) {
      records.length = before;
      throw error;
    }
    if (records.length === before) room.pass();
    const last = records.at(-1);
    if (this.#reader.isRead) this.#finish(batch);
    else if (records.length > before && last !== undefined) this.#nextOffset = last.offset + 1n;
    return this.#batch === undefined;
  }

  #open(batch: RecordBatch): RecordReader {
    const reader = openBatch(this.#topic, this.#partition, batch);
    if (this.#nextOffset > batch.firstOffset) reader.skipTo(Number(this.#nextOffset - batch.firstOffset));
    return reader;
  }

  #finish(batch: RecordBatch): void {
    if (batch.lastOffset >= this.#nextOffset) this.#nextOffset = batch.lastOffset + 1n;
    this.#position += batch.bytes.length;
    this.#batch = undefined;
    this.#reader = undefined;
    this.#isBegun = false;
  }
}
