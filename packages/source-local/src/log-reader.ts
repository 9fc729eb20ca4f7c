import { setImmediate as nextTurn } from "node:timers/promises";
import {
  EARLIEST_TIMESTAMP,
  type FetchRequest,
  type FetchResult,
  LATEST_TIMESTAMP,
  type ListedOffset,
  type ListOffsetsEntry,
  type LogRecord,
  OffsetOutOfRangeError,
  type RecordHeader,
} from "@tidemark/core";
import { decodeHeaders } from "./header-encoding.ts";
import type { LogChanges } from "./log-changes.ts";
import type { LogDatabase } from "./log-database.ts";
import type { LogCall } from "./log-errors.ts";
import type { LogRetention } from "./log-retention.ts";
import type { PartitionState, PartitionStates } from "./partition-state.ts";
import { RECORD_OVERHEAD_BYTES } from "./record-size.ts";

/** How many rows one turn of the event loop reads at most: reading is synchronous, and others want their turn. */
const MAX_ROWS_PER_TURN = 2_000;
const EMPTY = new Uint8Array(0);
const NO_HEADERS: readonly RecordHeader[] = Object.freeze([]);

type StoredBytes = Uint8Array | string | null;
type RecordRow = [
  offset: bigint,
  timestampMs: bigint,
  key: StoredBytes,
  value: StoredBytes,
  headers: Uint8Array | null,
];

/** Reads records and returns where partitions stand. */
export class LogReader {
  readonly #database: LogDatabase;
  readonly #states: PartitionStates;
  readonly #retention: LogRetention;
  readonly #changes: LogChanges;
  readonly #records;
  #rowsInTurn = 0;

  constructor(database: LogDatabase, states: PartitionStates, retention: LogRetention, changes: LogChanges) {
    this.#database = database;
    this.#states = states;
    this.#retention = retention;
    this.#changes = changes;
    this.#records = database.prepare(
      `SELECT offset, timestamp_ms, key, value, headers FROM tidemark_log_record
        WHERE topic_id = ? AND partition = ? AND offset >= ? ORDER BY offset`,
    );
  }

  /** Reads from an offset on; at the end of the log it waits until there is something or the time is up. */
  async fetch(request: FetchRequest): Promise<FetchResult> {
    const { topic, partition, offset, maxWait, signal } = request;
    let endsAt: number | undefined;
    for (;;) {
      while (this.#rowsInTurn >= MAX_ROWS_PER_TURN) await nextTurn();
      signal?.throwIfAborted();
      const since = maxWait === 0 ? 0n : this.#changes.version();
      const { result, due } = await this.#database.read(request, () => this.#read(request));
      if (due) this.#retention.sweepOnRead(topic, partition);
      if (result.nextOffset > offset || maxWait === 0) return result;
      endsAt ??= performance.now() + maxWait;
      const waitMs = endsAt - performance.now();
      if (waitMs <= 0) return result;
      await this.#changes.next({ topic, partition, since, waitMs, signal });
    }
  }

  /** Looks up the first, the last or a time's offset of partitions, all as of one moment. */
  async listOffsets(topic: string, entries: readonly ListOffsetsEntry[], call: LogCall): Promise<ListedOffset[]> {
    const due: number[] = [];
    const answers = await this.#database.read(call, () => {
      due.length = 0;
      if (entries.length === 0) this.#states.count(topic);
      return entries.map(({ partition, timestamp }): ListedOffset => {
        const state = this.#states.get(topic, partition);
        const start = this.#states.startAt(state, Date.now());
        if (isDue(state, start)) due.push(partition);
        const offset = this.#offsetAt(state, start, timestamp);
        return offset === undefined ? { partition } : { partition, offset, mark: state.mark };
      });
    });
    for (const partition of due) this.#retention.sweepOnRead(topic, partition);
    return answers;
  }

  #offsetAt(state: PartitionState, start: bigint, timestamp: number): bigint | undefined {
    if (timestamp === EARLIEST_TIMESTAMP) return start;
    if (timestamp === LATEST_TIMESTAMP) return state.next;
    return this.#states.firstNotOlder(state, start, timestamp);
  }

  #read({ topic, partition, offset, maxBytes, mark }: FetchRequest): { result: FetchResult; due: boolean } {
    const state = this.#states.get(topic, partition);
    const start = this.#states.startAt(state, Date.now());
    const { next: highWatermark } = state;
    const isOtherLog = mark !== undefined && mark !== state.mark;
    if (isOtherLog || offset < start || offset > highWatermark) {
      if (isDue(state, start)) queueMicrotask(() => this.#retention.sweepOnRead(topic, partition));
      const refusal = { topic, partition, requested: offset, earliest: start, latest: highWatermark };
      throw new OffsetOutOfRangeError({ ...refusal, ...(isOtherLog && { reason: "other-log" }) });
    }
    const records: LogRecord[] = [];
    let nextOffset = highWatermark;
    let bytesLeft = maxBytes;
    if (offset < highWatermark) {
      for (const row of this.#records.iterate(state.topicId, partition, offset)) {
        const [recordOffset, timestampMs, storedKey, storedValue, storedHeaders] = row as unknown as RecordRow;
        const key = toBytes(storedKey);
        const value = toBytes(storedValue);
        bytesLeft -= RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + (storedHeaders?.length ?? 0);
        if (records.length > 0 && (bytesLeft < 0 || records.length >= MAX_ROWS_PER_TURN)) {
          nextOffset = recordOffset;
          break;
        }
        records.push({
          topic,
          partition,
          offset: recordOffset,
          timestampMs: Number(timestampMs),
          key,
          value,
          headers: storedHeaders === null ? NO_HEADERS : decodeHeaders(storedHeaders),
        });
      }
    }
    this.#counted(records.length);
    return { result: { records, nextOffset, highWatermark, mark: state.mark }, due: isDue(state, start) };
  }

  #counted(rows: number): void {
    if (this.#rowsInTurn === 0 && rows > 0) setImmediate(() => (this.#rowsInTurn = 0));
    this.#rowsInTurn += rows;
  }
}

/** Whether rows are there that cannot be read any more. */
function isDue(state: PartitionState, start: bigint): boolean {
  return start > state.swept;
}

/** Empty bytes are stored as an empty text: an empty buffer without memory of its own would be bound as NULL. */
function toBytes(stored: StoredBytes): Uint8Array | null {
  return typeof stored === "string" ? EMPTY : stored;
}
