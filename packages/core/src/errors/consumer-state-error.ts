import { brandOf, isBranded } from "./brand.ts";
import { helpUrlOf, withHelp } from "./error-help.ts";

/**
 * What a session or a consumer cannot do as it is now: it is closed (`CLOSED`), is read already (`ALREADY_READING`), commits
 * by itself or not at all (`NEEDS_MANUAL`), is asked to commit what is not next (`NOT_NEXT`), or does not hold the partition,
 * or no longer as it was when the record was handed out (`NOT_HELD`).
 */
export type ConsumerStateErrorCode = "CLOSED" | "ALREADY_READING" | "NEEDS_MANUAL" | "NOT_NEXT" | "NOT_HELD";

/** Every code of a {@link ConsumerStateError}. */
export const CONSUMER_STATE_ERROR_CODES: readonly ConsumerStateErrorCode[] = Object.freeze([
  "CLOSED",
  "ALREADY_READING",
  "NEEDS_MANUAL",
  "NOT_NEXT",
  "NOT_HELD",
]);

const brand = brandOf("ConsumerStateError");

/** A session or a consumer was asked for what it cannot do as it is now. Nothing was written. */
export class ConsumerStateError extends Error {
  override readonly name: string = "ConsumerStateError";
  readonly code: ConsumerStateErrorCode;

  constructor(message: string, { code, cause }: { readonly code: ConsumerStateErrorCode; readonly cause?: unknown }) {
    super(withHelp(message, code), cause === undefined ? undefined : { cause });
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Where the code is explained, and what to do about it; the message ends with it. */
  get help(): string {
    return helpUrlOf(this.code);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, brand, this, ConsumerStateError);
  }
}
