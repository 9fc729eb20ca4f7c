import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CallOptions, FencedReason, OffsetStore } from "../offset-store.ts";
import type { OffsetRecord } from "../offset-record.ts";

/**
 * Who commits: `auto` (asking for the next record commits the previous one), `manual` (the caller does), or `none` (the
 * stored position is read, nothing is ever claimed or written).
 */
export type CommitStrategy = "auto" | "manual" | "none";

/** What points at a record that was delivered. Any `LogRecord` does. */
export interface RecordPosition {
  readonly partition: number;
  readonly offset: bigint;
}

/** What is worth telling of a session's work. */
export type OffsetSessionEvent =
  | { readonly type: "flush-failed"; readonly keys: readonly OffsetKey[]; readonly error: OffsetStoreError }
  | { readonly type: "behind"; readonly key: OffsetKey; readonly sent: bigint; readonly record: OffsetRecord }
  | {
      readonly type: "fenced";
      readonly key: OffsetKey;
      readonly reason: FencedReason;
      readonly owner: string | undefined;
    }
  | { readonly type: "recreated"; readonly key: OffsetKey; readonly nextOffset: bigint | undefined }
  | { readonly type: "stalled"; readonly unflushedForMs: number }
  | { readonly type: "recovered" };

/** How a session is opened. */
export interface OffsetSessionOptions<Transaction = never> {
  /** Where positions are kept. The session does not close it. */
  readonly store: OffsetStore<Transaction>;
  /** The durable name that the positions belong to. */
  readonly consumer: string;
  /** The one topic that the positions are in. */
  readonly topic: string;
  /** What is claimed at first: one at least, none twice. */
  readonly partitions: readonly number[];
  /** Default `auto`. */
  readonly strategy?: CommitStrategy | undefined;
  /** Milliseconds from a commit to its flush; 0 flushes at once. Default 3,000. */
  readonly flushInterval?: number | undefined;
  /** Milliseconds that a position lives unless renewed. Omitted: keeps what is stored. `null`: for ever. */
  readonly ttl?: number | null | undefined;
  /** A human-readable name of this session. Default `hostname:pid`. */
  readonly owner?: string | undefined;
  /** Milliseconds after which an idle session renews its claims. Default: the smaller of 30,000 and a third of the TTL. */
  readonly renewInterval?: number | undefined;
  /** Milliseconds that the oldest unflushed position may be old before {@link OffsetSession.stalled}. Default 60,000. */
  readonly maxUnflushedAge?: number | undefined;
  /** Whether the first refused partition stops the session, or is dropped alone. Default `stop`. */
  readonly onFenced?: "stop" | "continue" | undefined;
  /** Hears of what could not be written, of lost claims, and of recovery. */
  readonly onEvent?: ((event: OffsetSessionEvent) => void) | undefined;
  /** Ends opening. */
  readonly signal?: AbortSignal | undefined;
}

/** What `reposition` takes. */
export interface RepositionOptions {
  /**
   * Has the next flush write the position although nothing is committed after it. `commitWithin` needs that before the
   * transaction begins: inside one a position only goes forward. Default false.
   */
  readonly durable?: boolean | undefined;
}

/** Commits the positions of one consumer on one topic, and keeps the right to do so. It knows nothing of logs. */
export interface OffsetSession<Transaction = never> extends AsyncDisposable {
  readonly consumer: string;
  readonly topic: string;
  readonly strategy: CommitStrategy;
  readonly owner: string;
  /** Why the session may no longer write; `undefined` while it may. */
  readonly fenced: Error | undefined;
  /** Whether the oldest unflushed position is older than `maxUnflushedAge`: time to stop reading until the store is back. */
  readonly stalled: boolean;
  /** Whether something is committed that is not durable yet. */
  readonly unflushed: boolean;
  /** The partitions that the session holds, ascending. */
  readonly partitions: readonly number[];
  /** Whether the session held a partition and was fenced from it. */
  hasLost(partition: number): boolean;
  /** What the store had for a partition when it was claimed; `undefined` for nothing. */
  stored(partition: number): OffsetRecord | undefined;
  /** The committed position, flushed or not: the offset of the next record to read. `undefined` while there is none. */
  position(partition: number): bigint | undefined;
  /** Why the store takes no more positions of a partition, for good; `undefined` while it does. */
  refusal(partition: number): Error | undefined;
  /** Claims more partitions. */
  claim(partitions: readonly number[], options?: CallOptions): Promise<void>;
  /** Commits a position where none is stored, so that what begins at the log's end skips nothing when it restarts. */
  startAt(partition: number, nextOffset: bigint, options?: { readonly ttl?: number | undefined }): void;
  /**
   * Says that reading goes on elsewhere, because the position no longer exists. Commits nothing; if it is further back, the
   * next commit may take the stored position back with it, once (contract 3.2).
   */
  reposition(partition: number, nextOffset: bigint, options?: RepositionOptions): void;
  /** Says that a record is handed out. Commits nothing. */
  deliver(record: RecordPosition): void;
  /** Commits everything delivered so far, or up to and with one record of its partition. Local and instant. */
  commit(record?: RecordPosition): void;
  /** `manual` only: marks one record as done, in any order; the position is the lowest one delivered and not acknowledged. */
  acknowledge(record: RecordPosition): void;
  /**
   * `manual` only: writes the position after the record inside the caller's transaction, at once. Local state stays until
   * the caller, after the transaction, calls `commit(record)`.
   */
  commitWithin(transaction: Transaction, record: RecordPosition, options?: CallOptions): Promise<void>;
  /** Resolves when all that was committed before the call is durable; rejects if its own attempt could not write. */
  flush(options?: CallOptions): Promise<void>;
  /** Resolves when the session is no longer stalled, is fenced or closed. */
  whenReady(options?: CallOptions): Promise<void>;
  /** Flushes and releases everything, always; rejects if its own attempt could not write. Leaves the store open. */
  close(): Promise<void>;
}
