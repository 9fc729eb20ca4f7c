import type { OffsetResetPolicy } from "@tidemark/core";
import { parseDuration } from "./parse-duration.ts";

/**
 * Continues at the first record that is not older than a duration, counted back from the moment when the policy is asked;
 * at the log's end if no record is that late. As Kafka's `by_duration:`.
 *
 * @param duration - ISO 8601 with weeks, days, hours, minutes and seconds: `PT1H`, `P7D`, `P1DT12H`, `PT0.5S`.
 * @throws TypeError if it is not such a duration, or not longer than zero.
 */
export function byDuration(duration: string): OffsetResetPolicy {
  const milliseconds = parseDuration(duration);
  return Object.freeze({
    name: `by_duration:${duration}`,
    // Never negative: ListOffsets reads negative numbers as its commands, and no record is from before the epoch.
    timestamp: () => Math.max(Date.now() - milliseconds, 0),
  });
}
