import { brandOf, isBranded } from "./brand.ts";
import { helpUrlOf, withHelp } from "./error-help.ts";

/** What kinds of failure a {@link LogSourceError} can be. The set is closed. */
export const LOG_SOURCE_ERROR_CODES = Object.freeze([
  "UNKNOWN_TOPIC",
  "UNKNOWN_PARTITION",
  "TOPIC_EXISTS",
  "UNAVAILABLE",
  "TIMEOUT",
  "PERMISSION_DENIED",
  "CORRUPT_LOG",
  "UNSUPPORTED",
  "CLOSED",
  "UNKNOWN",
] as const);

/**
 * What kind of failure a {@link LogSourceError} is: one of {@link LOG_SOURCE_ERROR_CODES}.
 *
 * - `UNKNOWN_TOPIC`, `UNKNOWN_PARTITION`: there is none of that name or number
 * - `TOPIC_EXISTS`: a topic of that name is there already
 * - `UNAVAILABLE`: the log cannot be reached, or has no room; trying again later can help
 * - `TIMEOUT`: no answer in time
 * - `PERMISSION_DENIED`: the credentials or the file's mode do not allow it
 * - `CORRUPT_LOG`: what is there is damaged, or not a log of ours
 * - `UNSUPPORTED`: this log cannot do what was asked
 * - `CLOSED`: the source was closed before the call
 * - `UNKNOWN`: none of these; see `cause`
 */
export type LogSourceErrorCode = (typeof LOG_SOURCE_ERROR_CODES)[number];

/** What a {@link LogSourceError} is made from. */
export interface LogSourceErrorOptions {
  readonly code: LogSourceErrorCode;
  /** Whether the same call may succeed later. Default: true for `UNAVAILABLE` and `TIMEOUT`. */
  readonly retryable?: boolean;
  readonly topic?: string;
  readonly partition?: number;
  readonly cause?: unknown;
}

const brand = brandOf("LogSourceError");

/** A log could not do what it was asked. An offset without a record is an `OffsetOutOfRangeError` instead. */
export class LogSourceError extends Error {
  override readonly name: string = "LogSourceError";
  readonly code: LogSourceErrorCode;
  readonly retryable: boolean;
  readonly topic: string | undefined;
  readonly partition: number | undefined;

  constructor(message: string, options: LogSourceErrorOptions) {
    super(withHelp(message, options.code), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.retryable = options.retryable ?? (options.code === "UNAVAILABLE" || options.code === "TIMEOUT");
    this.topic = options.topic;
    this.partition = options.partition;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Where the code is explained, and what to do about it; the message ends with it. */
  get help(): string {
    return helpUrlOf(this.code);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, brand, this, LogSourceError);
  }
}
