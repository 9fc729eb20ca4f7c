import type { ResetOrigin } from "@tidemark/core";
import { NOTHING } from "../../output/table.ts";
import { formatRemainingTime } from "../../text/remaining-time.ts";
import { visibleText } from "../../text/visible-text.ts";

/** Where a position was before its last reset, as `-O json` shows it. */
export interface ResetOriginDocument {
  /** A decimal string; absent: there was no position. */
  readonly nextOffset?: string;
  /** What moved it: the reason of a reset policy's reset, or `operator`. */
  readonly reason: string;
  readonly at: string;
}

/** Makes what a record keeps of its last reset into what is shown. */
export function resetOriginDocument({ nextOffset, reason, at }: ResetOrigin): ResetOriginDocument {
  return {
    ...(nextOffset !== undefined && { nextOffset: String(nextOffset) }),
    reason,
    at: at.toISOString(),
  };
}

/** For a column of its own: `500 (operator, 3 min ago)`. */
export function resetOriginCell(origin: ResetOriginDocument, nowMs: number): string {
  return `${origin.nextOffset ?? NOTHING} (${resetCauseCell(origin, nowMs)})`;
}

/** For a column beside one that has the offset: `operator, 3 min ago`. */
export function resetCauseCell({ reason, at }: ResetOriginDocument, nowMs: number): string {
  return `${reason}, ${agoText(at, nowMs)}`;
}

/** For a line of its own, with the moment to the millisecond. */
export function resetOriginText(origin: ResetOriginDocument, nowMs: number): string {
  const { nextOffset, reason, at } = origin;
  return `from ${nextOffset ?? "no position"} (${visibleText(reason)}) at ${at} (${agoText(at, nowMs)})`;
}

function agoText(at: string, nowMs: number): string {
  return `${formatRemainingTime(nowMs - Date.parse(at))} ago`;
}
