import type { ResetResult, WriteStatus } from "@tidemark/core/positions";
import { NOTHING } from "../../../output/table.ts";
import { resetCauseCell, resetOriginDocument, type ResetOriginDocument } from "../reset-origin.ts";

/**
 * A row of a reset as `-O json` shows it, offsets as decimal strings. With the fields of an exported position, so that
 * `consumer import` takes it; without `ttl` a position keeps the one that it has.
 */
export interface ResetDocument {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  /** Where it was; absent: nowhere. */
  readonly from?: string;
  /** Where it goes. */
  readonly nextOffset: string;
  readonly metadata: string;
  readonly ttl?: number;
  /** How many offsets of the log are passed over, or read once more. */
  readonly skipped?: string;
  readonly readAgain?: string;
  /** What was asked for and is not in the log. */
  readonly requested?: string;
  readonly earliest: string;
  readonly latest: string;
  /** The reset that is undone. */
  readonly undoes?: ResetOriginDocument;
  /** Who claimed it last. */
  readonly owner?: string;
  readonly status: WriteStatus;
  /** Where the position is instead of `from`, if it has moved meanwhile. */
  readonly current?: string;
}

/** Makes a row into what is shown. */
export function resetDocument(consumer: string, row: ResetResult): ResetDocument {
  const { topic, partition, from, to, metadata, ttl, requested, earliest, latest, undoes, owner, status } = row;
  const { skipped, readAgain, current } = row;
  return {
    consumer,
    topic,
    partition,
    ...(from !== undefined && { from: String(from) }),
    nextOffset: String(to),
    metadata,
    ...(ttl !== undefined && { ttl }),
    ...(skipped > 0n && { skipped: String(skipped) }),
    ...(readAgain > 0n && { readAgain: String(readAgain) }),
    ...(requested !== undefined && { requested: String(requested) }),
    earliest: String(earliest),
    latest: String(latest),
    ...(undoes !== undefined && { undoes: resetOriginDocument(undoes) }),
    ...(owner !== undefined && { owner }),
    status,
    ...(current !== undefined && { current: String(current) }),
  };
}

/** Which columns a table of resets has beside those that each has. */
export interface ResetColumns {
  readonly isUndo: boolean;
  /** Whether it is more than a plan. */
  readonly isExecuted: boolean;
}

/** The columns of a plan, and of what became of it. */
export function resetHeadings({ isUndo, isExecuted }: ResetColumns): string[] {
  return [
    ...["TOPIC", "PARTITION", "FROM", "TO", "CHANGE"],
    ...(isUndo ? ["UNDOES"] : []),
    ...(isExecuted ? ["RESULT"] : []),
  ];
}

/** One row of either. */
export function resetCells(row: ResetResult, { isUndo, isExecuted }: ResetColumns, nowMs: number): string[] {
  const { topic, partition, from, to, undoes, status } = row;
  return [
    ...[topic, String(partition), from === undefined ? NOTHING : String(from), String(to), changeText(row)],
    ...(isUndo ? [undoes === undefined ? NOTHING : resetCauseCell(resetOriginDocument(undoes), nowMs)] : []),
    ...(isExecuted ? [status === "moved" ? movedText(row) : status] : []),
  ];
}

function movedText({ current }: ResetResult): string {
  return `moved to ${current ?? "no position"}`;
}

function changeText(row: ResetResult): string {
  const { from, to, skipped, readAgain } = row;
  if (from === undefined) return "new";
  if (from === to) return "stays";
  return to > from ? `${skipped} skipped` : `${readAgain} again`;
}
