import type { OffsetStoreErrorCode } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { MemberKey } from "../member.ts";
import type { OffsetFilter, StoreCapabilities } from "../offset-store.ts";

/** What an entry is stored under: a position's key, or a member's. The two never meet. */
export type DriverKey = OffsetKey | MemberKey;

/** What every driver call gets. */
export interface DriverContext<Transaction = never> {
  /** Aborted when the caller aborts or the time is up. Made when it is first looked at. */
  readonly signal: AbortSignal;
  /** An open transaction, the caller's or one of `begin`: read and write inside it. Only where `capabilities.transactions` is true. */
  readonly transaction?: Transaction | undefined;
  /**
   * Whether a write got no answer, and what is read decides if it was done. A backend that shows writes which it may still undo
   * shows them here only when it cannot any more: it waits, or fails.
   */
  readonly confirmed?: boolean | undefined;
}

/** What a driver's write gets. */
export interface WriteContext<Transaction = never> extends DriverContext<Transaction> {
  /** Whether the answer should carry `writtenAt`. Without it the driver may save the cost. */
  readonly timed?: boolean | undefined;
}

/** What is stored under a key. */
export interface StoredEntry {
  /** As in the {@link Change} that wrote it. */
  readonly version: string;
  /** As in the {@link Change} that wrote it. */
  readonly value: string;
  /** When the backend wrote it, in milliseconds of the backend's own clock. */
  readonly writtenAt: number;
}

/** Something is stored under the key that this driver did not write, or that cannot be read. It is left as it is. */
export interface UnreadableEntry {
  /** What stands in the version's place, if a write can compare it. */
  readonly version?: string | undefined;
  /** The driver's own; an {@link UnreadableRecordError} is `CORRUPT_RECORD`, everything else goes to `classify`. */
  readonly error: unknown;
}

/** The answer to one key of a read. `undefined`: a confirmed miss. */
export type ReadEntry = StoredEntry | UnreadableEntry | undefined;

/** The answer to a read. */
export interface ReadAnswer {
  /**
   * The backend's clock in milliseconds, read in the same step as the entries or before them, and after them only where they
   * are locked until the transaction ends.
   */
  readonly now: number;
  /** One for each key, in the order asked. */
  readonly entries: readonly ReadEntry[];
}

/** One conditional write. */
export interface Change {
  readonly key: DriverKey;
  /** The stored version must be one of these; `null` stands for nothing being stored. `"any"`: no condition. */
  readonly expected: readonly (string | null)[] | "any";
  /** The text to store; `undefined` removes the entry. */
  readonly value: string | undefined;
  /**
   * Goes with the value: 12 characters of `A-Z a-z 0-9 - _`. It belongs to this change of this key, not to a call: all changes
   * of a call may carry the same, and one that was `skipped` comes again with its version, among others with new ones. What
   * failed comes again with a new one. So it is no idempotency token for a request.
   */
  readonly version: string;
  /**
   * From when the backend may take the space back by itself: so many milliseconds after this write, by its own clock. Late
   * is fine, early never. `null`: never. `undefined`: never, and an old time need not be cleared, because there is none.
   */
  readonly reclaimAfter: number | null | undefined;
}

/** This change alone failed, with the backend's own error. If that is retryable, the change may have been written. */
export interface DriverFailure {
  readonly status: "failed";
  readonly error: unknown;
}

/**
 * The answer to one change. `conflict`: the version was not an expected one, nothing is written. `skipped`: nothing is
 * written because another change of the call met a conflict or failed (where `capabilities.atomicBatch` is true); core sends
 * it again.
 */
export type ChangeAnswer = "written" | "conflict" | "skipped" | DriverFailure;

/** The answer to a write. */
export interface WriteAnswer {
  /**
   * The time with which all of this call was stamped; needed where the context is `timed`. Left out where the changes have
   * different ones: positions of several topics may lie in several places.
   */
  readonly writtenAt?: number | undefined;
  /** One for each change, in the order asked. `undefined`: all are written. */
  readonly changes: readonly ChangeAnswer[] | undefined;
}

/** Which entries a listing is about. */
export interface ListFilter extends OffsetFilter {
  readonly kind: "position" | "member";
  /** Only what may have expired is wanted; a driver that cannot distinguish lists more. */
  readonly reclaimable?: boolean | undefined;
}

/** A part of a listing. */
export interface ListPage {
  /** As in {@link ReadAnswer}. */
  readonly now: number;
  readonly entries: readonly { readonly key: DriverKey; readonly entry: StoredEntry | UnreadableEntry }[];
}

/** What a driver makes of one of its backend's errors. */
export interface ErrorClassification {
  readonly code: OffsetStoreErrorCode;
  /** Whether trying the same call again may help. */
  readonly retryable: boolean;
  /** What happened and what to do, as a clause without a full stop; never a secret. */
  readonly message: string;
}

/** A transaction that the store began itself. */
export interface OwnTransaction<Transaction> {
  /** What the user's writes and the position go through. */
  readonly transaction: Transaction;
  /** Whether it must end before anything else in the process has its turn: a body that returns a promise is refused. */
  readonly isSynchronous?: boolean | undefined;
  /** Rejects if it is not known, or known not, to be committed: the store then looks at what is stored. */
  commit(): Promise<void>;
  /**
   * Ends it, without effect unless its commit was carried out: after a failure, after a commit that rejected, or while a commit
   * waits for an answer that does not come. Never rejects because of a broken connection.
   */
  rollback(): Promise<void>;
}

/**
 * All that is particular to one backend: four verbs that compare a version and write. What a claim, a commit or an expiry
 * is, `createOffsetStore` decides.
 *
 * Calls carry checked keys, at most `capabilities.maxBatch` of them and none twice. A driver throws its backend's own
 * errors where nothing was answered: core then reads, and sends what is not there in a new call.
 */
export interface OffsetStoreDriver<Transaction = never> {
  /** The kind of store, for example `"sqlite"`. */
  readonly name: string;
  /** The version of the contract that the driver was written for. Default 1, the only one so far. */
  readonly contractVersion?: number | undefined;
  readonly capabilities: StoreCapabilities;
  /** Reads entries, expired ones too. */
  read(keys: readonly DriverKey[], context: DriverContext<Transaction>): Promise<ReadAnswer>;
  /**
   * Compares and writes each change in one atomic step, and stamps it with the backend's clock in that step. Where
   * `capabilities.atomicBatch` is true, all changes or, if one meets a conflict, none.
   */
  write(changes: readonly Change[], context: WriteContext<Transaction>): Promise<WriteAnswer>;
  /**
   * Lists entries, expired ones too, in pages: memory stays bounded however many there are. An entry that is there
   * throughout is listed exactly once.
   */
  list(filter: ListFilter, context: Pick<DriverContext, "signal">): AsyncIterable<ListPage>;
  /**
   * Begins a transaction of the store's own, on a connection that nothing else uses until it ends. Needs
   * `capabilities.transactions`. Omitted: the store has none.
   */
  begin?(context: Pick<DriverContext, "signal">): Promise<OwnTransaction<Transaction>>;
  /**
   * Says what an error of the backend means. That a transaction gave way to another (a serialization failure, a deadlock, a
   * write conflict) and may be begun again is `CONFLICT` and retryable: the store then runs the user's writes again.
   */
  classify(error: unknown): ErrorClassification;
  /**
   * Releases what the driver opened itself. Called once, when all calls have ended or the store's `timeout` has passed: a call
   * that was given up, a long transaction, and a listing between two pages may still be under way, and may fail.
   */
  close(): Promise<void>;
}

/** What lies under a key was not written by a store, or by a later release of one. No write goes over it. */
export class UnreadableRecordError extends Error {
  override readonly name = "UnreadableRecordError";

  constructor(why: string) {
    super(`the stored value is not a Tidemark record: ${why}; it was not changed: repair it, or delete the key`);
  }
}
