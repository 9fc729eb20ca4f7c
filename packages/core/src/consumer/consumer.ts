import type { LogRecord, LogSource } from "../log-source.ts";
import type { SharingMode } from "../member.ts";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import type { CallOptions, OffsetStore, TransactionBody } from "../offset-store.ts";
import type { OutOfRangeReason } from "../errors/offset-out-of-range-error.ts";
import type { CommitRecordOptions, OffsetSessionEvent, RecordPosition } from "../session/offset-session.ts";

/**
 * How positions are committed: `auto` (asking for the next record commits the previous one), `manual` (your code
 * commits), or `none` (the stored position is read, nothing is ever claimed or written).
 */
export type CommitStrategy = "auto" | "manual" | "none";

/**
 * Where to begin while no position is stored: a policy or its name, an absolute offset, the first record not older than a
 * date, or a number of records from the log's beginning or end (clamped to the log).
 */
export type StartPosition =
  | OffsetResetPolicy
  | string
  | bigint
  | Date
  | { readonly fromBeginning: number }
  | { readonly fromEnd: number };

/** What a consumer reports to `onEvent`. */
export type ConsumerEvent =
  | OffsetSessionEvent
  /** A stored position is used; `start` was not asked. */
  | { readonly type: "resumed"; readonly topic: string; readonly partition: number; readonly nextOffset: bigint }
  /** No position was stored; `start` gave this one, and it is durable now. */
  | { readonly type: "started"; readonly topic: string; readonly partition: number; readonly nextOffset: bigint }
  /**
   * The position `from` no longer existed; the policy gave `to`, on a log that reaches from `earliest` up to `latest`.
   * With a store it is durable before the next record of the partition is handed out.
   *
   * `skipped` counts the offsets that will not be read: below the log those from `from` up to `to`, of which those
   * before `earliest` no longer exist and the others do; in a log that was recreated or is shorter those from
   * `earliest` up to `to`; in one that was truncated none. It is the number of records if each offset has one; offsets
   * removed by compaction and transaction markers count too.
   */
  | {
      readonly type: "reset";
      readonly topic: string;
      readonly partition: number;
      readonly policy: string;
      readonly reason: OutOfRangeReason;
      readonly from: bigint;
      readonly to: bigint;
      readonly skipped: bigint;
      readonly earliest: bigint;
      readonly latest: bigint;
    }
  /** A partition could not be read and is tried again; the others continue. */
  | {
      readonly type: "fetch-failed";
      readonly topic: string;
      readonly partition: number;
      readonly error: Error;
      readonly retryInMs: number;
    }
  /** New partitions could not be looked up or claimed; they are tried again later. */
  | { readonly type: "refresh-failed"; readonly topic: string; readonly error: Error }
  /** The topic has a partition that it did not have before; it is read from its beginning. */
  | { readonly type: "partition-added"; readonly topic: string; readonly partition: number };

/** How a consumer is created. Every option is checked before anything is read. */
export interface ConsumerOptions<Transaction = never> {
  /** The log that is read. The consumer does not close it. */
  readonly source: LogSource;
  /** The topic that is read. */
  readonly topic: string;
  /** Where positions are stored; needs `consumer`. Without it nothing is stored. */
  readonly store?: OffsetStore<Transaction> | undefined;
  /** The durable name that the positions belong to. */
  readonly consumer?: string | undefined;
  /** Which partitions are read. Default: all, also those that are added later. */
  readonly partitions?: readonly number[] | undefined;
  /** Where to begin while no position is stored. Default: like `resetPolicy`. */
  readonly start?: StartPosition | undefined;
  /** Decides where to continue when the log no longer has the position: a policy, its name, or a module specifier. Default `earliest`. */
  readonly resetPolicy?: OffsetResetPolicy | string | undefined;
  /**
   * How positions are committed: `auto` by the consumer, `manual` by your code, `none` not at all. Default `auto` with
   * a consumer name, otherwise `none`.
   */
  readonly strategy?: CommitStrategy | undefined;
  /** Milliseconds from a commit to its flush; 0: each next record waits until the previous position is durable. Default 3,000. */
  readonly flushInterval?: number | undefined;
  /** Milliseconds after which a position expires unless renewed. Omitted: what is stored, for a new one the topic's `consumerTtl`. `null`: never. */
  readonly ttl?: number | null | undefined;
  /** A human-readable name of this consumer's session. Default `hostname:pid`. */
  readonly owner?: string | undefined;
  /** Milliseconds after which an idle consumer checks its claims, and renews those with a TTL. Default: the smaller of 30,000 and a third of the TTL. */
  readonly renewInterval?: number | undefined;
  /**
   * Milliseconds for which reading continues while positions cannot be written. With `balanced` and `standby` it also waits
   * from the end of the lease on. Default 60,000.
   */
  readonly maxUnflushedAge?: number | undefined;
  /**
   * What becomes of partitions that another process of the same name holds: `balanced` divides them among all that run,
   * `standby` waits until the holder ends or falls silent, `takeover` takes them at once. Default `balanced`, and `standby`
   * with `partitions`.
   */
  readonly sharing?: SharingMode | undefined;
  /** Milliseconds without a heartbeat after which others take over. Default 10,000; S3 60,000. */
  readonly lease?: number | undefined;
  /** A name that this process alone has at a time, a StatefulSet's pod for example: a new one of that name takes over at once. */
  readonly instance?: string | undefined;
  /**
   * Milliseconds to wait for work in hand: when a rebalance moves partitions to another process, and at the end of
   * `process()`. Default 60,000.
   */
  readonly revokeTimeout?: number | undefined;
  /** With `takeover`: whether the first refused partition stops the consumer, or is dropped alone. Default `stop`. */
  readonly onFenced?: "stop" | "continue" | undefined;
  /** The most bytes of records that one fetch asks for. Default 1,048,576. */
  readonly maxBytes?: number | undefined;
  /**
   * The most bytes of records that the consumer holds or has asked for, all partitions together. With many partitions each
   * fetch asks for less than `maxBytes`; one record is always taken, however large. Default 67,108,864 (64 MiB).
   */
  readonly maxBufferedBytes?: number | undefined;
  /** Milliseconds that one fetch waits at the log's end. Default 5,000. */
  readonly maxWait?: number | undefined;
  /** Milliseconds between two lookups of new partitions. Default 60,000. */
  readonly partitionRefreshInterval?: number | undefined;
  /** Ends the loop when every partition is read up to the end that it had when the loop began. Default false. */
  readonly untilEnd?: boolean | undefined;
  /** Is called with resets, failures that are retried, and lost claims. */
  readonly onEvent?: ((event: ConsumerEvent) => void) | undefined;
  /** Ends the consumer: what waits rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Some records of one partition, in the order of the log. It goes where a record goes: `commit`, `transact`, `commitWithin`. */
export interface RecordBatch {
  readonly partition: number;
  /** At least one. */
  readonly records: readonly LogRecord[];
  /** The position after the batch: past its last record, and past what the log has without a record after it. */
  readonly nextOffset: bigint;
  /** The claim's epoch; 0 with strategy `none`. */
  readonly epoch: number;
}

/** How batches are made. */
export interface BatchesOptions {
  /** The most records in a batch. Default 500. */
  readonly maxRecords?: number | undefined;
  /** Milliseconds that a batch of fewer records waits for more. Default 0: it does not wait. */
  readonly linger?: number | undefined;
}

/** What a {@link RecordHandler} gets beside the record. */
export interface RecordHandlerContext {
  /** Aborts with the consumer's own signal: nothing of what is under way is committed then. */
  readonly signal: AbortSignal;
  /** Which attempt at this record it is, from 1. */
  readonly attempt: number;
  /** The claim's epoch, a fencing token for what you write elsewhere; 0 with strategy `none`. */
  readonly epoch: number;
}

/** Works on one record; what it throws, or rejects with, goes to `onError`. */
export type RecordHandler = (record: LogRecord, context: RecordHandlerContext) => unknown;

/** How records are processed. */
export interface ProcessOptions {
  /** The most handlers that run at once. Default 10. */
  readonly concurrency?: number | undefined;
  /**
   * Which records are worked on one after the other: those of a `partition`, those of one `key` (a record without a key waits
   * for no other), or `none`. Default `partition`.
   */
  readonly order?: "partition" | "key" | "none" | undefined;
  /**
   * What to do with a record whose handler failed: `retry` (after a pause of 100 ms that doubles up to 30 s; in the
   * meantime only its key or its partition waits), `skip` (it counts as done: write it to your dead letter topic
   * first), or `stop`. Default `stop`; an error that it throws itself also stops.
   */
  readonly onError?:
    | ((error: unknown, record: LogRecord, attempt: number) => ErrorDecision | Promise<ErrorDecision>)
    | undefined;
}

/** What becomes of a record whose handler failed. */
export type ErrorDecision = "retry" | "skip" | "stop";

/** Reads the records of a topic from where its name left off. One loop at a time; a second one continues from the committed position. */
export interface Consumer<Transaction = never> extends AsyncIterable<LogRecord, void, undefined>, AsyncDisposable {
  readonly topic: string;
  readonly strategy: CommitStrategy;
  /** The partitions that are read, ascending. */
  readonly partitions: readonly number[];
  /**
   * As `OffsetSession.isStalled`: nothing is handed out until the store is back. Use it in a readiness check. False
   * with strategy `none`.
   */
  readonly isStalled: boolean;
  /** The committed position of a partition, flushed or not. */
  position(partition: number): bigint | undefined;
  /** As `OffsetSession.epoch`: a fencing token for what you write elsewhere. `undefined` with strategy `none`. */
  epoch(partition: number): number | undefined;
  /**
   * The records in batches, each of one partition. With `auto`, asking for the next batch commits the previous one: where your
   * work on it throws, nothing of it is committed. One way of reading at a time.
   */
  batches(options?: BatchesOptions): AsyncIterable<RecordBatch, void, undefined>;
  /**
   * Works on the records with a handler, several at once, and acknowledges each when its handler is done, with `auto`
   * and `manual` alike. Resolves at the end (`untilEnd`, `close()`); rejects with what stopped it: an error for which
   * `onError` returns `stop`, a failure of the log or the store, the reason of an abort. Except for an abort it waits
   * for running handlers, up to `revokeTimeout`, and flushes what is done before it settles. One way of reading at a time.
   */
  process(handler: RecordHandler, options?: ProcessOptions): Promise<void>;
  /**
   * As `OffsetSession.transact`: your results and the position after a record or a batch in one transaction that the
   * store begins, with `auto` and `manual` alike. The record or batch must be the next one: with `auto` it is the one
   * in hand, or the beginning of it. In a handler of `process()` it needs `order: "partition"`, and is the
   * acknowledgement. Throws with strategy `none`.
   */
  transact(
    done: RecordPosition | RecordBatch,
    body: TransactionBody<Transaction>,
    options?: CallOptions,
  ): Promise<void>;
  /**
   * How many offsets each partition has from its committed position to the log's end, as of the last answer of the log: 0
   * where everything is committed. No I/O; a partition that the log has not answered for yet is left out.
   */
  lag(): ReadonlyMap<number, bigint>;
  /**
   * As `OffsetSession.commit`, up to and including a record or a batch; with `auto` the one in hand. Throws with
   * strategy `none`.
   */
  commit(done?: RecordPosition | RecordBatch, options?: CommitRecordOptions): void;
  /** As `OffsetSession.flush`. Throws with strategy `none`. */
  flush(options?: CallOptions): Promise<void>;
  /** Ends the loop, flushes and releases everything. Leaves the store and the source open: the caller opened them. */
  close(): Promise<void>;
}

/** A consumer with strategy `manual`: nothing is committed but by a call. */
export interface ManualConsumer<Transaction = never> extends Consumer<Transaction> {
  readonly strategy: "manual";
  /** As `OffsetSession.acknowledge`. */
  acknowledge(record: RecordPosition): void;
  /** As `OffsetSession.commitWithin`. */
  commitWithin(transaction: Transaction, done: RecordPosition | RecordBatch, options?: CallOptions): Promise<void>;
}
