import type { OffsetRecord, ResetOrigin } from "../offset-record.ts";
import { placeText } from "./place-text.ts";
import { ResetPlanError } from "./reset-plan-error.ts";
import type { StoredPositions } from "./stored-positions.ts";

/** A reset that can be undone: there was a position before it. */
export interface UndoableReset extends ResetOrigin {
  readonly nextOffset: bigint;
}

/** A partition that an undo leaves alone. */
export interface LeftAlone {
  readonly topic: string;
  readonly partition: number;
  /** `no-reset`: there is none to undo; `no-position`: there was no position before it. */
  readonly why: "no-reset" | "no-position";
}

/** What an undo is about. */
export interface UndoSelection {
  /** By topic. */
  readonly wanted: ReadonlyMap<string, readonly number[]>;
  readonly leftAlone: readonly LeftAlone[];
}

/** The reset of a record that an undo takes back; `undefined`: there is none that it could. */
export function undoableReset(record: OffsetRecord | undefined): UndoableReset | undefined {
  const origin = record?.resetFrom;
  return origin?.nextOffset === undefined ? undefined : { ...origin, nextOffset: origin.nextOffset };
}

/**
 * Separates partitions whose reset can be undone from the others.
 *
 * @throws ResetPlanError if there are only others.
 */
export function selectUndoable(
  consumer: string,
  among: ReadonlyMap<string, readonly number[]>,
  stored: StoredPositions,
): UndoSelection {
  const wanted = new Map<string, number[]>();
  const leftAlone: LeftAlone[] = [];
  for (const topic of [...among.keys()].sort()) {
    const undoable: number[] = [];
    for (const partition of among.get(topic) ?? []) {
      const record = stored.get(topic)?.get(partition);
      if (undoableReset(record) !== undefined) undoable.push(partition);
      else leftAlone.push({ topic, partition, why: record?.resetFrom === undefined ? "no-reset" : "no-position" });
    }
    if (undoable.length > 0) wanted.set(topic, undoable);
  }
  if (wanted.size === 0) throw nothingToUndo(consumer, leftAlone);
  return { wanted, leftAlone };
}

function nothingToUndo(consumer: string, leftAlone: readonly LeftAlone[]): ResetPlanError {
  const who = `consumer ${JSON.stringify(consumer)}`;
  const withoutPosition = leftAlone.filter(({ why }) => why === "no-position");
  return new ResetPlanError(
    withoutPosition.length > 0
      ? `${who} had no position before its reset on ${placesText(withoutPosition)}, so there is nothing to go back to; to remove the position, delete it`
      : `${who} has no reset to undo on ${placesText(leftAlone)}`,
  );
}

/** Names the first place, and counts the rest. */
function placesText([first, ...others]: readonly LeftAlone[]): string {
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  return `${first === undefined ? "any topic" : placeText(first)}${more}`;
}
