import type { OffsetResetPolicy } from "@tidemark/core";

/**
 * Continues at the first record that is not older than a moment; at the log's end if no record is that late.
 *
 * @param moment - A `Date`, or whole milliseconds since the epoch. A moment before 1970 means the epoch.
 * @throws TypeError if it is not a moment.
 */
export function atTimestamp(moment: Date | number): OffsetResetPolicy {
  const milliseconds = moment instanceof Date ? moment.getTime() : moment;
  const date = new Date(milliseconds);
  if (typeof milliseconds !== "number" || Number.isNaN(date.getTime())) {
    throw new TypeError(`atTimestamp needs a valid Date or milliseconds since the epoch, got ${String(moment)}`);
  }
  if (!Number.isInteger(milliseconds)) {
    throw new TypeError(`atTimestamp needs whole milliseconds, got ${milliseconds}`);
  }
  // ListOffsets reads negative numbers as its commands (-1 is the log's end), never as a time before the epoch.
  const timestamp = Math.max(milliseconds, 0);
  return Object.freeze({ name: `at_timestamp:${date.toISOString()}`, timestamp: () => timestamp });
}
