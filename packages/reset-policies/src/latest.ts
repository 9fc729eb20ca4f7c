import { LATEST_TIMESTAMP, type OffsetResetPolicy } from "@tidemark/core";

const policy: OffsetResetPolicy = Object.freeze({
  name: "latest",
  timestamp: () => LATEST_TIMESTAMP,
});

/** Continues at the log's end: existing records are skipped, new ones are read. */
export function latest(): OffsetResetPolicy {
  return policy;
}
