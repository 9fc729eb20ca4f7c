import { defaultOffsetResetPolicy, type OffsetResetPolicy } from "@tidemark/core";

/** Continues at the first record that the log still has. It is the default. */
export function earliest(): OffsetResetPolicy {
  return defaultOffsetResetPolicy;
}
