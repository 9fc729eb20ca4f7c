import type { LogRecord } from "../log-source.ts";

// What a record takes beside its key and its value.
const OVERHEAD_BYTES = 250;

/** About how many bytes a record takes in memory. */
export function bytesOf({ key, value }: LogRecord): number {
  return OVERHEAD_BYTES + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
}
