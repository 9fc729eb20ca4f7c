import type { OutOfRangeReason } from "./errors/offset-out-of-range-error.ts";
import { EARLIEST_TIMESTAMP } from "./log-source.ts";

/** The input of a policy. */
export interface OffsetResetContext {
  readonly topic: string;
  readonly partition: number;
  /** `start`: no position is stored. Else why the log refused the offset. */
  readonly reason: OutOfRangeReason | "start";
  /** The offset that the log refused; -1n as `start`. */
  readonly requested: bigint;
  /** The offset of the fetch that failed; -1n as `start`, and on the very first fetch of a consumer without a stored position. */
  readonly lastOffsetFetched: bigint;
  /** The first offset that the log still has. */
  readonly earliest: bigint;
  /** The offset after the log's last record. */
  readonly latest: bigint;
}

/**
 * Chooses where a consumer continues when its position no longer exists (contract, section 6), as in Kafine:
 * `timestamp` returns what to ask ListOffsets for, `adjustOffset` computes the offset to fetch from its answer.
 */
export interface OffsetResetPolicy {
  /** What messages and events call it. */
  readonly name: string;
  /**
   * What to ask ListOffsets for: `EARLIEST_TIMESTAMP` (-2), `LATEST_TIMESTAMP` (-1), or milliseconds since the epoch (no
   * record that late = the log's end). What it throws reaches the consumer's user.
   */
  timestamp(context: OffsetResetContext): number;
  /**
   * The offset to fetch, given the offset of the failing fetch and ListOffsets' answer. Default: that answer. A result
   * outside of the log counts as one more failing fetch.
   */
  adjustOffset?(lastOffsetFetched: bigint, nextOffsetToFetch: bigint): bigint;
}

/** What a consumer does by default: it continues at the first record that the log still has. */
export const defaultOffsetResetPolicy: OffsetResetPolicy = Object.freeze({
  name: "earliest",
  timestamp: () => EARLIEST_TIMESTAMP,
});
