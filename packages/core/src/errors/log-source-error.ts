import { brandOf, hasBrand } from "./brand.ts";

/**
 * What kind of failure a {@link LogSourceError} is. The set is closed.
 *
 * - `UNKNOWN_TOPIC`, `UNKNOWN_PARTITION`: there is none of that name or number
 * - `TOPIC_EXISTS`: a topic of that name is there already
 * - `UNAVAILABLE`: the log cannot be reached, or has no room; trying again later can help
 * - `TIMEOUT`: no answer in time
 * - `PERMISSION_DENIED`: the credentials or the file's mode do not allow it
 * - `CORRUPT_LOG`: what is there is not a log of ours
 * - `UNSUPPORTED`: this log cannot do what was asked
 * - `CLOSED`: the source was closed before the call
 * - `UNKNOWN`: none of these; see `cause`
 */
export type LogSourceErrorCode =
  | "UNKNOWN_TOPIC"
  | "UNKNOWN_PARTITION"
  | "TOPIC_EXISTS"
  | "UNAVAILABLE"
  | "TIMEOUT"
  | "PERMISSION_DENIED"
  | "CORRUPT_LOG"
  | "UNSUPPORTED"
  | "CLOSED"
  | "UNKNOWN";

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
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.retryable = options.retryable ?? (options.code === "UNAVAILABLE" || options.code === "TIMEOUT");
    this.topic = options.topic;
    this.partition = options.partition;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasBrand(value, brand);
  }
}
