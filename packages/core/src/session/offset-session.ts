import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CallOptions, FencedReason, OffsetStore, TransactionBody } from "../offset-store.ts";
import type { SharingMode } from "../member.ts";
import type { OffsetRecord } from "../offset-record.ts";

/** What points at a record that was delivered. Any `LogRecord` does. */
export interface RecordPosition {
  readonly partition: number;
  readonly offset: bigint;
}

/** What a session reports to `onEvent`. */
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
  /** More is done beyond the position than can be stored with it: the partition waits for this record to be acknowledged. */
  | { readonly type: "acknowledgements-full"; readonly key: OffsetKey; readonly waitingFor: bigint }
  | { readonly type: "stalled"; readonly unflushedForMs: number }
  /** After `stalled`, unless the session is fenced or closed before. */
  | { readonly type: "recovered" }
  /** In a group: these partitions are held from now on. */
  | { readonly type: "assigned"; readonly topic: string; readonly partitions: readonly number[] }
  /** In a group: this session no longer holds these partitions. Lost ones are claimed again when they are free. */
  | {
      readonly type: "revoked";
      readonly topic: string;
      readonly partitions: readonly number[];
      readonly reason: RevokedReason;
      /** The new owner, if known. */
      readonly owner: string | undefined;
    }
  /** A live member in standby or takeover holds the partition; this session waits until it ends. */
  | { readonly type: "waiting"; readonly key: OffsetKey; readonly owner: string | undefined }
  /** The store did not take a heartbeat; it is tried again. */
  | {
      readonly type: "heartbeat-failed";
      readonly member: string;
      /**
       * A lease has passed since the last acknowledged one was sent, or one was acknowledged after that and the claims could not be
       * checked yet. In a group nothing is handed out until both are done.
       */
      readonly leaseExpired: boolean;
      readonly error: OffsetStoreError;
    }
  /** Something held the event loop for longer than the lease: it is longer from now on. */
  | { readonly type: "lease-extended"; readonly member: string; readonly leaseMs: number }
  /** In a group: it could not be found out what is free, or some of it could not be claimed. It is tried again. */
  | { readonly type: "claim-failed"; readonly topic: string; readonly error: Error };

/** Why a partition is not the session's any more: others are due it, or its claim was lost. */
export type RevokedReason = "rebalanced" | FencedReason;

/** How a session is opened. */
export interface OffsetSessionOptions<Transaction = never> {
  /** Where positions are stored. The session does not close it. */
  readonly store: OffsetStore<Transaction>;
  /** The durable name that the positions belong to. */
  readonly consumer: string;
  /** The topic that the positions are in. */
  readonly topic: string;
  /** What is claimed at first, or with `balanced` all that the sessions share: one at least, none twice. */
  readonly partitions: readonly number[];
  /** Milliseconds from a commit to its flush; 0 flushes at once. Default 3,000. */
  readonly flushInterval?: number | undefined;
  /** Milliseconds after which a position expires unless renewed. Omitted: keeps what is stored. `null`: never. */
  readonly ttl?: number | null | undefined;
  /** A human-readable name of this session. Default `hostname:pid`. */
  readonly owner?: string | undefined;
  /**
   * Milliseconds after which an idle session checks its claims, and renews those with a TTL. Default: the smaller of
   * 30,000 and a third of the TTL.
   */
  readonly renewInterval?: number | undefined;
  /** Milliseconds that a position may wait for a store that does not take it, before the event `stalled`. Default 60,000. */
  readonly maxUnflushedAge?: number | undefined;
  /**
   * What becomes of partitions that another session holds: `standby` waits until it ends or falls silent, `balanced` divides
   * them among all sessions of the consumer, `takeover` takes them at once. Default `standby`.
   */
  readonly sharing?: SharingMode | undefined;
  /**
   * Milliseconds without a heartbeat after which others claim the partitions of this session, from 1,000 (S3: 3,000) to
   * 600,000. It sends a heartbeat every third of that. Default 10,000 (S3: 60,000), or a third of the `ttl` if that is
   * shorter and `sharing` is not `takeover`.
   */
  readonly lease?: number | undefined;
  /** A name that this session alone has at a time, a StatefulSet's pod for example: a new session of it takes over at once. */
  readonly instance?: string | undefined;
  /**
   * Milliseconds that a rebalance waits for records in hand before partitions move to another member. Default 60,000.
   */
  readonly revokeTimeout?: number | undefined;
  /**
   * Called when partitions are assigned: start reading them at `session.position(partition)`. It is awaited; an error
   * that it throws releases them. Do not await `session.claim()` in it: it waits for the same poll. Needed with
   * `balanced`.
   */
  readonly onAssigned?:
    | ((partitions: readonly number[], context: AssignedContext<Transaction>) => void | Promise<void>)
    | undefined;
  /**
   * Called when partitions move to another member: stop reading them, and resolve when the records in hand are done;
   * then they are flushed and released. With a reason other than `rebalanced` they are lost already.
   */
  readonly onRevoked?:
    | ((partitions: readonly number[], context: RevokedContext<Transaction>) => void | Promise<void>)
    | undefined;
  /** With `takeover`: whether the first refused partition stops the session, or is dropped alone. Default `stop`. */
  readonly onFenced?: "stop" | "continue" | undefined;
  /** Is called with what could not be written, lost claims, and recovery. Without it, what needs your attention is a process warning. */
  readonly onEvent?: ((event: OffsetSessionEvent) => void) | undefined;
  /** Aborts opening, which then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** What `onAssigned` is given beside the partitions. */
export interface AssignedContext<Transaction> {
  readonly session: OffsetSession<Transaction>;
}

/** What `onRevoked` is given beside the partitions. */
export interface RevokedContext<Transaction> extends AssignedContext<Transaction> {
  readonly reason: RevokedReason;
}

/** What to store with a position that is not that of a record. */
export interface PositionOptions {
  /** Which log it belongs to, in that log's own words. Omitted: any log takes it. */
  readonly mark?: string | undefined;
}

/** What `commit` takes beside the record. */
export interface CommitRecordOptions {
  /** Text to store with the position, at most 4,096 UTF-8 bytes. Omitted: what is stored stays. */
  readonly metadata?: string | undefined;
}

/** Claims and commits the positions of one consumer on one topic. It does not use a log. */
export interface OffsetSession<Transaction = never> extends AsyncDisposable {
  readonly consumer: string;
  readonly topic: string;
  readonly owner: string;
  /** Why the session may no longer write; `undefined` while it may. */
  readonly fenced: Error | undefined;
  /**
   * Whether nothing should be handed out for now: the store has not taken a position for `maxUnflushedAge`, or, in a group, no
   * heartbeat for a lease, so that another member may have what this one held (contract 8.5b).
   */
  readonly isStalled: boolean;
  /** The partitions that the session holds, ascending. */
  readonly partitions: readonly number[];
  /** The committed position, flushed or not: the offset of the next record to read. `undefined` while there is none. */
  position(partition: number): bigint | undefined;
  /** The claim's epoch, a fencing token for what you write elsewhere: it only grows. `undefined` if the partition is not held. */
  epoch(partition: number): number | undefined;
  /**
   * Why the store permanently rejects positions of a partition (`PERMISSION_DENIED`, `CORRUPT_RECORD`, `UNSUPPORTED`,
   * `CLOSED`): stop reading it. `undefined` while it accepts them. An event `flush-failed` comes first.
   */
  refusal(partition: number): Error | undefined;
  /** Claims more partitions, or with `balanced` shares them, too. Resolves as opening does. */
  claim(partitions: readonly number[], options?: CallOptions): Promise<void>;
  /** Flushes partitions and ends their claims, in one write; rejects if a position could not be written. */
  release(partitions: readonly number[], options?: CallOptions): Promise<void>;
  /** Commits a position where none is stored, so that what begins at the log's end skips nothing when it restarts. */
  startAt(partition: number, nextOffset: bigint, options?: PositionOptions): void;
  /**
   * Says that reading continues elsewhere, forward or back, because the position no longer exists. Durable after `flush()`; the
   * record keeps where the position was, and the reason. What was delivered before does not count any more (contract 6.5).
   */
  resetTo(partition: number, nextOffset: bigint, reason: string, options?: PositionOptions): void;
  /**
   * Says that a record is handed out. Commits nothing. `false`: do not work on it, it is done (it was acknowledged by this or
   * an earlier session before one that comes before it), or its partition is lost.
   */
  deliver(record: RecordPosition): boolean;
  /**
   * Commits everything delivered so far, or up to and with one record of its partition. Local and instant. A record that
   * was delivered before a reset, or before the partition was lost and claimed again, is ignored.
   */
  commit(record?: RecordPosition, options?: CommitRecordOptions): void;
  /**
   * Marks one record as done, in any order; the position is the lowest one delivered and not acknowledged. What is done
   * beyond it is stored with it, up to 1 KiB: nothing of it comes again after a crash.
   */
  acknowledge(record: RecordPosition): void;
  /**
   * Writes the position after the record inside the caller's transaction, at once. Local state stays until the caller,
   * after the transaction, calls `commit(record)`; until then, or for 60 seconds, flushes leave the partition out.
   */
  commitWithin(transaction: Transaction, record: RecordPosition, options?: CallOptions): Promise<void>;
  /**
   * Runs `body` in a transaction that the store begins itself, and writes the position after these records in it, last:
   * results and position are stored together, or neither is. Resolves when they are, and only then the local position
   * moves.
   *
   * Pass a record, or several of one partition in order, beginning with the lowest one that was delivered and is not
   * done; they stand for all that were delivered up to the last. `body` may run more than once. Flushes leave the
   * partition out in the meantime. Rejects with the error that `body` throws, and with `UNSUPPORTED` if the store has
   * no `transact`.
   */
  transact(
    records: RecordPosition | readonly RecordPosition[],
    body: TransactionBody<Transaction>,
    options?: CallOptions,
  ): Promise<void>;
  /** Resolves when all that was committed before the call is durable; rejects if its own attempt could not write. */
  flush(options?: CallOptions): Promise<void>;
  /** Flushes and ends all claims, always; rejects if its own attempt could not write a position. Leaves the store open. */
  close(): Promise<void>;
}
