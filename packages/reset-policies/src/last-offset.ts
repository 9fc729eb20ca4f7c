import { LATEST_TIMESTAMP, type OffsetResetPolicy } from "@tidemark/core";

const policy: OffsetResetPolicy = Object.freeze({
  name: "last-offset",
  timestamp: () => LATEST_TIMESTAMP,
  adjustOffset: (lastOffsetFetched: bigint, end: bigint): bigint => {
    if (end === 0n) return end;
    const lastRecord = end - 1n;
    // It was just tried and is not there: all records are deleted, or the last one is. Asking for it again never ends.
    return lastOffsetFetched === lastRecord ? end : lastRecord;
  },
});

/**
 * Continues at the last record that is still there, so that a consumer of states sees the newest one at once. Where that
 * one was just tried, or the log is empty, it continues at the log's end.
 *
 * A log may have an end and no records: five records, all deleted, leave earliest = latest = 5. The answer is then 4, the
 * fetch of it fails, and the second answer is 5. The offset before the end may have no record, after a transaction: then
 * the next record produced is the first delivered.
 */
export function lastOffset(): OffsetResetPolicy {
  return policy;
}
