import type { OffsetStoreErrorCode } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type {
  ClaimEntry,
  CommitEntry,
  CommitRefusal,
  DeleteSelector,
  ExpireEntry,
  FencedReason,
  OffsetFilter,
  ResetEntry,
  StoreCapabilities,
} from "../offset-store.ts";

/** What a driver's call gets beside its entries. */
export interface DriverContext {
  /** Aborted when the caller aborts or the time is up. A driver that can stop early does; it need not. */
  readonly signal: AbortSignal;
}

/** What a driver's commit gets beside its entries. */
export interface DriverCommitContext<Transaction> extends DriverContext {
  /** The caller's open transaction; only where `capabilities.transactions` is true. */
  readonly transaction?: Transaction | undefined;
}

/** This entry alone failed. `error` is the backend's own; the store wraps it. */
export interface DriverFailure {
  readonly status: "failed";
  readonly error: unknown;
}

/** As `ClaimOutcome`, with a raw error. */
export type DriverClaimOutcome =
  | { readonly status: "claimed"; readonly record: OffsetRecord | undefined }
  | DriverFailure;

/** As `CommitOutcome`, with a raw error. */
export type DriverCommitOutcome = { readonly status: "committed" } | CommitRefusal | DriverFailure;

/** As `FetchOutcome`, with a raw error. */
export type DriverFetchOutcome =
  | { readonly status: "found"; readonly record: OffsetRecord }
  | { readonly status: "absent" }
  | DriverFailure;

/** As `ResetOutcome`, with a raw error. */
export type DriverResetOutcome = { readonly status: "reset" } | DriverFailure;

/** As `ExpireOutcome`, with a raw error. */
export type DriverExpireOutcome = { readonly status: "set" } | { readonly status: "absent" } | DriverFailure;

/** One thing that a listing came across: a record, or a key whose record cannot be read. */
export type DriverListing =
  | { readonly status: "found"; readonly record: OffsetRecord }
  | { readonly status: "failed"; readonly key: OffsetKey; readonly error: unknown };

/** What a driver makes of one of its backend's errors. */
export interface ErrorClassification {
  readonly code: OffsetStoreErrorCode;
  /** Whether trying the same call again may help. */
  readonly retryable: boolean;
  /** What happened and what to do, as a clause without a full stop; never a secret. */
  readonly message: string;
}

/**
 * What is particular to one backend. `createOffsetStore` calls it with checked entries or keys, never more than
 * `capabilities.maxBatch` at once and never the same key twice in a call; answers come in the order asked, one to each. It
 * throws raw errors when nothing was answered.
 */
export interface OffsetStoreDriver<Transaction = never> {
  /** The kind of store, for example `"sqlite"`. */
  readonly name: string;
  /** The version of the contract that the driver was written for. Default 1, the only one so far. */
  readonly contractVersion?: number | undefined;
  readonly capabilities: StoreCapabilities;
  claim(entries: readonly ClaimEntry[], context: DriverContext): Promise<readonly DriverClaimOutcome[]>;
  commit(
    entries: readonly CommitEntry[],
    context: DriverCommitContext<Transaction>,
  ): Promise<readonly DriverCommitOutcome[]>;
  fetch(keys: readonly OffsetKey[], context: DriverContext): Promise<readonly DriverFetchOutcome[]>;
  /** In pages: memory stays bounded however many records there are, and the time-out counts per page. */
  list(filter: OffsetFilter, context: DriverContext): AsyncIterable<readonly DriverListing[]>;
  reset(entries: readonly ResetEntry[], context: DriverContext): Promise<readonly DriverResetOutcome[]>;
  expire(entries: readonly ExpireEntry[], context: DriverContext): Promise<readonly DriverExpireOutcome[]>;
  delete(selector: DeleteSelector, context: DriverContext): Promise<readonly OffsetKey[]>;
  /** Says what an error of the backend means. */
  classify(error: unknown): ErrorClassification;
  /** Called once, when no call is in flight. */
  close(): Promise<void>;
}

/** A fenced outcome, with the owner where one is known. */
export function fenced(reason: FencedReason, owner?: string): CommitRefusal {
  return owner === undefined ? { status: "fenced", reason } : { status: "fenced", reason, owner };
}
