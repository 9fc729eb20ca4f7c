import type { OutOfRangeReason } from "../errors/offset-out-of-range-error.ts";
import type { OffsetChoice } from "./ask-policy.ts";
import type { ConsumerEvent } from "./consumer.ts";

/** A reset that was decided. */
export interface DecidedReset {
  readonly topic: string;
  readonly partition: number;
  readonly policy: string;
  readonly reason: OutOfRangeReason;
  /** The position that the log does not have. */
  readonly from: bigint;
  readonly choice: OffsetChoice;
}

/** What the event of a reset says, and how much of the log it skips. */
export function resetEvent({ choice, ...reset }: DecidedReset): ConsumerEvent {
  const { nextOffset: to, bounds } = choice;
  const range = { earliest: bounds.earliest.offset, latest: bounds.latest.offset };
  const skipped = to - nextUnread(reset, range.earliest, to);
  return { type: "reset", ...reset, to, ...range, skipped: skipped > 0n ? skipped : 0n };
}

/** The first offset that was not read, as far as is known. */
function nextUnread({ reason, from }: Omit<DecidedReset, "choice">, earliest: bigint, to: bigint): bigint {
  switch (reason) {
    case "below-log":
      return from;
    case "truncated":
      return to;
    // Of a log that was recreated or is shorter nothing was read.
    case "beyond-log":
    case "other-log":
      return earliest;
  }
}
