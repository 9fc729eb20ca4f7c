import type { OffsetRange } from "../offset-record.ts";

/** Ranges as text, `[["5","7"],["9","10"]]`; what limits them is its length. */
export function rangesText(ranges: readonly OffsetRange[]): string {
  return `[${ranges.map(({ from, to }) => `["${from}","${to}"]`).join(",")}]`;
}
