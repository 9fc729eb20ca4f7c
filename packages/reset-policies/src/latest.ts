import { LATEST_TIMESTAMP, type OffsetResetPolicy } from "@tidemark/core";

const policy: OffsetResetPolicy = Object.freeze({
  name: "latest",
  timestamp: () => LATEST_TIMESTAMP,
});

/** Goes on after the log's last record: what is there now is skipped, what comes is read. */
export function latest(): OffsetResetPolicy {
  return policy;
}
