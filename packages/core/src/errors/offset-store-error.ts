import type { OffsetKey } from "../key.ts";
import type { CommitRefusal } from "../offset-store.ts";
import { brandOf, isBranded } from "./brand.ts";
import { helpUrlOf, withHelp } from "./error-help.ts";

/** What kinds of failure an {@link OffsetStoreError} can be. The set is closed (contract 3.19). */
export const OFFSET_STORE_ERROR_CODES = Object.freeze([
  "UNAVAILABLE",
  "TIMEOUT",
  "PERMISSION_DENIED",
  "UNSUPPORTED",
  "CORRUPT_RECORD",
  "CONFLICT",
  "CLOSED",
  "UNKNOWN",
] as const);

/**
 * What kind of failure an {@link OffsetStoreError} is: one of {@link OFFSET_STORE_ERROR_CODES}.
 *
 * - `UNAVAILABLE`: the store cannot be reached, or has no room; trying again later can help
 * - `TIMEOUT`: no answer within the store's `timeout`; the write may or may not have happened, and it is safe to retry
 * - `PERMISSION_DENIED`: the credentials do not allow this verb
 * - `UNSUPPORTED`: this store or server cannot do what was asked
 * - `CORRUPT_RECORD`: what is stored under the key is not a record of ours; it is never overwritten
 * - `CONFLICT`: a commit inside a transaction was refused, see {@link OffsetStoreError.refusal}; without one the transaction
 *   gave way to another
 * - `CLOSED`: the store was closed before the call
 * - `UNKNOWN`: none of these; see `cause`
 */
export type OffsetStoreErrorCode = (typeof OFFSET_STORE_ERROR_CODES)[number];

/** The verb of the store that failed; `open` before there was a store. */
export type OffsetStoreOperation =
  | "open"
  | "claim"
  | "commit"
  | "transact"
  | "fetch"
  | "list"
  | "reset"
  | "expire"
  | "delete"
  | "heartbeat"
  | "leave"
  | "members"
  | "group"
  | "close";

/** What an {@link OffsetStoreError} is made from. */
export interface OffsetStoreErrorOptions {
  readonly code: OffsetStoreErrorCode;
  readonly operation: OffsetStoreOperation;
  /** The store's name, for example `"sqlite"`. */
  readonly store: string;
  /** Whether the same call may succeed later. Default: true for `UNAVAILABLE` and `TIMEOUT`. */
  readonly retryable?: boolean;
  /** The keys that failed; absent if the failure is about the whole store. */
  readonly keys?: readonly OffsetKey[];
  /** Why a commit inside a transaction was refused; only with `CONFLICT`. */
  readonly refusal?: CommitRefusal;
  readonly cause?: unknown;
}

const brand = brandOf("OffsetStoreError");

/**
 * A store could not do what it was asked. The message names the key and what to do, never a secret, and ends with the address
 * of `help`.
 */
export class OffsetStoreError extends Error {
  override readonly name: string = "OffsetStoreError";
  readonly code: OffsetStoreErrorCode;
  readonly operation: OffsetStoreOperation;
  readonly store: string;
  readonly retryable: boolean;
  readonly keys: readonly OffsetKey[];
  readonly refusal: CommitRefusal | undefined;

  constructor(message: string, options: OffsetStoreErrorOptions) {
    super(withHelp(message, options.code), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.operation = options.operation;
    this.store = options.store;
    this.retryable = options.retryable ?? (options.code === "UNAVAILABLE" || options.code === "TIMEOUT");
    this.keys = options.keys ?? [];
    this.refusal = options.refusal;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Where the code is explained, and what to do about it; the message ends with it. */
  get help(): string {
    return helpUrlOf(this.code);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, brand, this, OffsetStoreError);
  }
}
