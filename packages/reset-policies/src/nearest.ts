import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, type OffsetResetContext, type OffsetResetPolicy } from "@tidemark/core";

const policy: OffsetResetPolicy = Object.freeze({
  name: "nearest",
  timestamp: ({ reason, requested, latest }: OffsetResetContext): number =>
    (reason === "beyond-log" || reason === "truncated") && requested > latest ? LATEST_TIMESTAMP : EARLIEST_TIMESTAMP,
});

/**
 * Continues at the end of the log that is nearer to the lost position: below the log at its first record (retention removed
 * what was there), beyond it at its end (the log was truncated). As `start`, on a topic that was recreated, and where the log has
 * grown past the position since the fetch failed, it continues at the first record: nothing is skipped.
 */
export function nearest(): OffsetResetPolicy {
  return policy;
}
