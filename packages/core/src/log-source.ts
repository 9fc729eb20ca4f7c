import type { CallOptions } from "./offset-store.ts";

/** One record of a log. */
export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  /** Its number in the partition, `0 <= n < 2^63`. */
  readonly offset: bigint;
  /** When it was written, in milliseconds since the epoch. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** One header of a record. Names may repeat. */
export interface RecordHeader {
  readonly name: string;
  readonly value: Uint8Array;
}

/** Asks for records of one partition. */
export interface FetchRequest extends CallOptions {
  readonly topic: string;
  readonly partition: number;
  /** The first offset wanted. */
  readonly offset: bigint;
  /** The most bytes of records in the answer; the first record comes even if it is larger. */
  readonly maxBytes: number;
  /** Milliseconds to wait for a record at the end of the log before the answer is empty. */
  readonly maxWait: number;
  /**
   * The mark of `offset`: that of the previous result, or the one stored with the position. If the log is another one
   * by now, or was truncated below `offset`, the fetch rejects with an `OffsetOutOfRangeError` with that reason.
   * Omitted: any log accepts it.
   */
  readonly mark?: string | undefined;
}

/** The answer to a {@link FetchRequest}. */
export interface FetchResult {
  /** In order of their offsets; gaps are possible. */
  readonly records: readonly LogRecord[];
  /** Where to continue: at least the last record's offset + 1, and past the offsets read that hold no record. */
  readonly nextOffset: bigint;
  /** The offset after the log's last record, as of this answer. */
  readonly highWatermark: bigint;
  /**
   * Which log all of `records` are of, in the log's own words: 1 to 255 UTF-8 bytes. It is stored with a position after
   * them and comes back as {@link FetchRequest.mark}. Absent: the log has no marks.
   */
  readonly mark?: string;
}

/** The timestamp that asks ListOffsets for the first offset that the log still has. As in Kafka's protocol. */
export const EARLIEST_TIMESTAMP = -2;

/** The timestamp that asks ListOffsets for the offset after the last record. As in Kafka's protocol. */
export const LATEST_TIMESTAMP = -1;

/** Asks where a partition stands at a time. */
export interface ListOffsetsEntry {
  readonly partition: number;
  /** {@link EARLIEST_TIMESTAMP}, {@link LATEST_TIMESTAMP}, or milliseconds since the epoch. */
  readonly timestamp: number;
}

/** The answer to a {@link ListOffsetsEntry}, in the order asked. */
export interface ListedOffset {
  readonly partition: number;
  /** The first offset whose record is not older than the timestamp. Absent: no record is that late. */
  readonly offset?: bigint;
  /** The mark of a position at `offset`, as in {@link FetchResult.mark}. Absent: none; any log takes the position. */
  readonly mark?: string;
}

/** How a topic is made. What is left out is as the log has it by default. */
export interface TopicConfig {
  /** How many partitions; at least 1. Default: what Kafka's brokers are set to; 1 in the local log. */
  readonly partitions?: number;
  /** Milliseconds that a consumer's position on this topic lives unless renewed. Default and `null`: it does not expire. */
  readonly consumerTtl?: number | null;
  /** Records older than this many milliseconds are deleted. `null`: none are. Default: as Kafka's brokers; none in the local log. */
  readonly retentionMs?: number | null;
  /** The oldest records of a partition are deleted while it holds more bytes than this. `null`: none are. Default: as Kafka's brokers; none in the local log. */
  readonly retentionBytes?: number | null;
}

/** What can be changed of a topic. `null`: no TTL, or no records are deleted. Partitions can only grow. */
export interface TopicAlteration {
  readonly partitions?: number;
  readonly consumerTtl?: number | null;
  readonly retentionMs?: number | null;
  readonly retentionBytes?: number | null;
}

/** A topic and its settings. */
export interface TopicDescription {
  readonly name: string;
  readonly partitions: number;
  /** Milliseconds that a consumer's position on this topic lives unless renewed. Absent: it does not expire. */
  readonly consumerTtl?: number;
  /** Records older than this many milliseconds are deleted. Absent: they stay. */
  readonly retentionMs?: number;
  /** The oldest records of a partition are deleted while it holds more bytes than this. Absent: they stay. */
  readonly retentionBytes?: number;
  /** Whether it belongs to the system rather than to a user (Kafka's convention: a leading `__`). */
  readonly internal: boolean;
}

/** Topics made, seen, changed and removed. */
export interface LogAdmin {
  /** Rejects with `TOPIC_EXISTS` if there is one of this name. */
  createTopic(name: string, config: TopicConfig, options?: CallOptions): Promise<void>;
  /** All topics, internal ones too, sorted by name. */
  listTopics(options?: CallOptions): Promise<TopicDescription[]>;
  /** Rejects with `UNKNOWN_TOPIC`. */
  describeTopic(name: string, options?: CallOptions): Promise<TopicDescription>;
  /** Rejects with `UNKNOWN_TOPIC`. */
  alterTopic(name: string, alteration: TopicAlteration, options?: CallOptions): Promise<void>;
  /** Rejects with `UNKNOWN_TOPIC`. */
  deleteTopic(name: string, options?: CallOptions): Promise<void>;
}

/** A record to be written. */
export interface RecordInput {
  readonly key?: Uint8Array | null | undefined;
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[] | undefined;
  /** Milliseconds since the epoch. Default: now. */
  readonly timestampMs?: number | undefined;
}

/** Writes records. */
export interface LogProducer {
  /**
   * Appends records to one partition, durable when it resolves, all or none of as many as the log takes at once. Resolves with
   * the first one's offset.
   */
  produce(topic: string, partition: number, records: readonly RecordInput[], options?: CallOptions): Promise<bigint>;
}

/**
 * A log that records are read from: Kafka, a local file, any other.
 *
 * Failures are a `LogSourceError`; an offset that the log does not have is an `OffsetOutOfRangeError`. An offset equal to
 * the log's end is in range: the fetch waits there.
 */
export interface LogSource extends AsyncDisposable {
  /** The kind of log, for example `"local"`. */
  readonly name: string;
  /** The numbers of a topic's partitions, ascending. Rejects with `UNKNOWN_TOPIC`. */
  partitions(topic: string, options?: CallOptions): Promise<number[]>;
  /** Reads records of one partition, waiting at the end of the log without load on anything. */
  fetch(request: FetchRequest): Promise<FetchResult>;
  /** Looks up offsets of partitions, all in one call, in the order of the entries. */
  listOffsets(topic: string, entries: readonly ListOffsetsEntry[], options?: CallOptions): Promise<ListedOffset[]>;
  /** Ends calls in flight and releases what the source opened itself. May be called twice. */
  close(): Promise<void>;
  /** Where the log lets topics be made and removed. */
  readonly admin?: LogAdmin;
  /** Where the log lets records be written. */
  readonly producer?: LogProducer;
}
