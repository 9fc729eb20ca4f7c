import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { ResetOutcome } from "../offset-store.ts";

/**
 * What became of a position: `planned` (nothing is written by a plan), `written`, `unchanged` (it is so already), `kept` (it
 * is ahead, and stays), `moved` (it is not where the plan found it, and stays), `failed`, `unknown` (the store did not answer: it may be written or not), `not-tried`.
 */
export type WriteStatus = "planned" | "written" | "unchanged" | "kept" | "moved" | "failed" | "unknown" | "not-tried";

/** What became of a write. */
export function statusOf(outcome: ResetOutcome): WriteStatus {
  if (outcome.status === "failed") return statusAfter(outcome.error);
  return outcome.status === "moved" ? "moved" : "written";
}

/** What became of a write that failed: after some failures it is not known. */
export function statusAfter(error: OffsetStoreError): WriteStatus {
  return error.code === "TIMEOUT" || error.code === "UNAVAILABLE" ? "unknown" : "failed";
}

/** Whether what comes next is worth a try: one record that is damaged or was moved says nothing of the others, a store that is down does. */
export function isAboutOneRecord(error: Error): boolean {
  return !(error instanceof OffsetStoreError) || error.code === "CORRUPT_RECORD";
}

/** How many there are of each. */
export function countStatuses(results: Iterable<{ readonly status: WriteStatus }>): ReadonlyMap<WriteStatus, number> {
  const counts = new Map<WriteStatus, number>();
  for (const { status } of results) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}
