import type { LogDatabase } from "./log-database.ts";
import { unknownPartition, unknownTopic } from "./log-errors.ts";

/** What the log keeps of a partition beside its records, as of one transaction. */
export interface PartitionState {
  readonly topicId: bigint;
  /** The topic's own, unlike that of any other topic in any file. */
  readonly mark: string;
  readonly partition: number;
  /** The first offset that can be read, by what was deleted so far. */
  readonly start: bigint;
  /** Rows from here on may be there; those below `start` are on their way out. */
  readonly swept: bigint;
  /** The offset of the next record; never goes back. */
  readonly next: bigint;
  /** Of all rows that are there. */
  readonly bytes: number;
  /** The latest timestamp of any record so far. */
  readonly maxTimestampMs: number;
  readonly retentionMs: number | undefined;
  readonly retentionBytes: number | undefined;
}

const COLUMNS = `p.topic_id, p.partition, p.start_offset, p.swept_offset, p.next_offset, p.bytes, p.max_timestamp_ms,
  t.retention_ms, t.retention_bytes, t.mark`;

type Row = [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint | null, bigint | null, string];

/** Looks partitions up, and times in them. To be called within a transaction. */
export class PartitionStates {
  readonly #one;
  readonly #dueForRetention;
  readonly #count;
  readonly #firstFrom;
  readonly #firstNotOlder;

  constructor(database: LogDatabase) {
    const joined = `SELECT ${COLUMNS} FROM tidemark_log_topic t JOIN tidemark_log_partition p USING (topic_id)`;
    this.#one = database.prepare(`${joined} WHERE t.name = ? AND p.partition = ?`);
    this.#dueForRetention = database.prepare(
      `${joined} WHERE (t.retention_ms IS NOT NULL OR t.retention_bytes IS NOT NULL OR p.swept_offset < p.start_offset)
        AND (p.topic_id, p.partition) > (?, ?) ORDER BY p.topic_id, p.partition LIMIT 1`,
    );
    this.#count = database.prepare("SELECT partitions FROM tidemark_log_topic WHERE name = ?");
    const record = "FROM tidemark_log_record WHERE topic_id = ? AND partition = ? AND offset >= ?";
    this.#firstFrom = database.prepare(
      `SELECT offset, timestamp_ms, coalesce(max_timestamp_ms, timestamp_ms) ${record} ORDER BY offset LIMIT 1`,
    );
    this.#firstNotOlder = database.prepare(`SELECT offset ${record} AND timestamp_ms >= ? ORDER BY offset LIMIT 1`);
  }

  /** Rejects a topic or a partition that is not there. */
  get(topic: string, partition: number): PartitionState {
    const row = this.#one.get(Buffer.from(topic), partition);
    if (row !== undefined) return toState(row as unknown as Row);
    throw unknownPartition(topic, partition, this.count(topic));
  }

  /** How many partitions a topic has. */
  count(topic: string): number {
    const row = this.#count.get(Buffer.from(topic)) as unknown as [bigint] | undefined;
    if (row === undefined) throw unknownTopic(topic);
    return Number(row[0]);
  }

  /** The next partition after this one that retention may have to do with. */
  nextWithRetention(after: { readonly topicId: bigint; readonly partition: number }): PartitionState | undefined {
    const row = this.#dueForRetention.get(after.topicId, after.partition);
    return row === undefined ? undefined : toState(row as unknown as Row);
  }

  /** The first offset that can be read at a time: records older than the retention do not count, removed or not. */
  startAt(state: PartitionState, nowMs: number): bigint {
    const { retentionMs, start, next } = state;
    if (retentionMs === undefined || start === next) return start;
    const oldestMs = nowMs - retentionMs;
    const first = this.#firstFrom.get(state.topicId, state.partition, start) as unknown as Probe | undefined;
    if (first === undefined) return start;
    if (first[1] >= oldestMs) return start;
    return this.firstNotOlder(state, start, oldestMs) ?? next;
  }

  /** The first offset from `start` on whose record's timestamp is at or after the time. */
  firstNotOlder(state: PartitionState, start: bigint, timestampMs: number): bigint | undefined {
    const { topicId, partition, next, maxTimestampMs } = state;
    if (timestampMs > maxTimestampMs) return undefined;
    // The latest timestamp so far never falls from one record to the next, so it can be halved for, with few looks.
    let low = start;
    let high = next;
    while (low < high) {
      const middle = low + (high - low) / 2n;
      const probe = this.#firstFrom.get(topicId, partition, middle) as unknown as Probe | undefined;
      if (probe === undefined || probe[0] >= high || probe[2] >= timestampMs) high = middle;
      else low = probe[0] + 1n;
    }
    // A record deleted meanwhile may have been the late one: then the search continues record by record.
    const found = this.#firstNotOlder.get(topicId, partition, low, BigInt(timestampMs)) as unknown as
      | [bigint]
      | undefined;
    return found?.[0];
  }
}

type Probe = [offset: bigint, timestampMs: bigint, maxTimestampMs: bigint];

function toState(row: Row): PartitionState {
  const [topicId, partition, start, swept, next, bytes, maxTimestampMs, retentionMs, retentionBytes, mark] = row;
  return {
    topicId,
    mark,
    partition: Number(partition),
    start,
    swept,
    next,
    bytes: Number(bytes),
    maxTimestampMs: Number(maxTimestampMs),
    retentionMs: retentionMs === null ? undefined : Number(retentionMs),
    retentionBytes: retentionBytes === null ? undefined : Number(retentionBytes),
  };
}
