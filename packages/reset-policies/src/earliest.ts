import { defaultOffsetResetPolicy, type OffsetResetPolicy } from "@tidemark/core";

/** Goes on at the first record that the log still has. It is what a consumer does unless told otherwise. */
export function earliest(): OffsetResetPolicy {
  return defaultOffsetResetPolicy;
}
