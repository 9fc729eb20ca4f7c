import type { OffsetStoreError, ResetOutcome } from "@tidemark/core";

/**
 * What became of a position: `planned` (nothing is written by a plan), `written`, `unchanged` (it is so already), `kept` (it
 * is ahead, and stays), `failed`, `unknown` (the store did not answer: it may be written or not), `not-tried`.
 */
export type WriteStatus = "planned" | "written" | "unchanged" | "kept" | "failed" | "unknown" | "not-tried";

/** The answer to a write that is only planned. */
export interface PlannedOutcome {
  readonly status: "planned";
}

/** What became of a write. */
export function statusOf(outcome: ResetOutcome | PlannedOutcome): WriteStatus {
  switch (outcome.status) {
    case "reset":
      return "written";
    case "planned":
      return "planned";
    case "failed":
      return statusAfter(outcome.error);
  }
}

/** What became of a write that failed: after some failures nobody knows. */
export function statusAfter(error: OffsetStoreError): WriteStatus {
  return error.code === "TIMEOUT" || error.code === "UNAVAILABLE" ? "unknown" : "failed";
}

/** Whether what comes next is worth a try: one damaged record says nothing of the others, a store that is down does. */
export function isAboutOneRecord(error: OffsetStoreError): boolean {
  return error.code === "CORRUPT_RECORD";
}

/** How many there are of each. */
export function countStatuses(statuses: Iterable<WriteStatus>): ReadonlyMap<WriteStatus, number> {
  const counts = new Map<WriteStatus, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}
