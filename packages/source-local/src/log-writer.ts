import { LogSourceError, type RecordInput } from "@tidemark/core";
import { MAX_OFFSET } from "@tidemark/core/driver";
import { encodeHeaders } from "./header-encoding.ts";
import type { LogChanges } from "./log-changes.ts";
import type { LogDatabase } from "./log-database.ts";
import type { LogCall } from "./log-errors.ts";
import type { LogRetention } from "./log-retention.ts";
import type { PartitionStates } from "./partition-state.ts";
import { RECORD_OVERHEAD_BYTES } from "./record-size.ts";

/** One produce removes at most its own number of old records and this many more: its cost stays bounded, and it catches up. */
const MORE_ROWS_PER_PRODUCE = 1_000;

/** Writes records. */
export class LogWriter {
  readonly #database: LogDatabase;
  readonly #states: PartitionStates;
  readonly #retention: LogRetention;
  readonly #changes: LogChanges;
  readonly #insert;
  readonly #advance;

  constructor(database: LogDatabase, states: PartitionStates, retention: LogRetention, changes: LogChanges) {
    this.#database = database;
    this.#states = states;
    this.#retention = retention;
    this.#changes = changes;
    this.#insert = database.prepare(
      `INSERT INTO tidemark_log_record (topic_id, partition, offset, timestamp_ms, max_timestamp_ms, key, value, headers)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#advance = database.prepare(
      `UPDATE tidemark_log_partition SET next_offset = ?, bytes = ?, max_timestamp_ms = ?
        WHERE topic_id = ? AND partition = ?`,
    );
  }

  /** Appends records in one transaction. */
  async produce(topic: string, partition: number, records: readonly RecordInput[], call: LogCall): Promise<bigint> {
    if (records.length === 0) return this.#database.read(call, () => this.#states.get(topic, partition).next);
    const first = await this.#database.write(call, () => this.#append(topic, partition, records));
    this.#changes.wake(topic, partition);
    return first;
  }

  #append(topic: string, partition: number, records: readonly RecordInput[]): bigint {
    const state = this.#states.get(topic, partition);
    if (MAX_OFFSET - state.next < BigInt(records.length)) {
      throw new LogSourceError(`topic ${JSON.stringify(topic)} partition "${partition}" has no offsets left`, {
        code: "UNSUPPORTED",
        topic,
        partition,
      });
    }
    const now = Date.now();
    let { next: offset, bytes, maxTimestampMs } = state;
    for (const { key = null, value, headers, timestampMs = now } of records) {
      const storedHeaders = encodeHeaders(headers);
      bytes += RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + (storedHeaders?.length ?? 0);
      this.#insert.run(
        state.topicId,
        partition,
        offset,
        timestampMs,
        timestampMs < maxTimestampMs ? maxTimestampMs : null,
        key?.length === 0 ? "" : key,
        value?.length === 0 ? "" : value,
        storedHeaders,
      );
      if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs;
      offset += 1n;
    }
    this.#advance.run(offset, BigInt(bytes), BigInt(maxTimestampMs), state.topicId, partition);
    this.#retention.step({ ...state, next: offset, bytes, maxTimestampMs }, records.length + MORE_ROWS_PER_PRODUCE);
    return state.next;
  }
}
