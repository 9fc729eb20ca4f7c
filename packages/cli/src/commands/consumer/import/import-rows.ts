import type { FailedOutcome, OffsetStore, ResetEntry } from "@tidemark/core";
import { NOTHING } from "../../../output/table.ts";
import type { WriteStatus } from "../write-status.ts";
import type { ImportedPosition } from "./imported-position.ts";

/**
 * What an import does to a position: `new` (there is none), `forward`, `back`, `settings` (the same position with another TTL
 * or other metadata), `same`; `ahead` (what is there is ahead, and stays); `unreadable`.
 */
export type ImportChange = "new" | "forward" | "back" | "settings" | "same" | "ahead" | "unreadable";

/** One row of an import: the input, what the target has, and what became of it. */
export interface ImportRow extends ImportedPosition {
  status: WriteStatus;
  change: ImportChange | undefined;
  /** What the target has; absent: nothing. */
  from: bigint | undefined;
  /** Who claimed it last, and may be running. */
  owner: string | undefined;
}

/** A row of an import as `-O json` shows it; `consumer import` takes it, too. */
export interface ImportDocument {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly from?: string;
  readonly nextOffset: string;
  readonly metadata?: string;
  readonly ttl?: number | null;
  readonly change?: ImportChange;
  readonly owner?: string;
  readonly status: WriteStatus;
}

/** Makes the row of a position that nothing is known of yet. */
export function importRow(position: ImportedPosition): ImportRow {
  return { ...position, status: "planned", change: undefined, from: undefined, owner: undefined };
}

/**
 * Looks at what the target has of some positions, notes in their rows what that makes of them, and gives what is to be
 * written: `undefined` for what needs nothing, a failure for what cannot be read.
 *
 * @param overwrite - Whether positions may go back.
 */
export async function lookAtTarget(
  store: OffsetStore,
  rows: readonly ImportRow[],
  overwrite: boolean,
): Promise<(ResetEntry | FailedOutcome | undefined)[]> {
  const outcomes = await store.fetch(rows.map(({ consumer, topic, partition }) => ({ consumer, topic, partition })));
  return rows.map((row, index) => {
    const outcome = outcomes[index];
    if (outcome?.status === "failed") {
      row.change = "unreadable";
      return outcome;
    }
    const record = outcome?.status === "found" ? outcome.record : undefined;
    row.from = record?.nextOffset;
    row.owner = record?.owner;
    const stays = row.from === row.nextOffset;
    // What the input does not say stays with a position that stays: it was written for it.
    const metadata = row.metadata ?? (stays ? (record?.metadata ?? "") : "");
    const isSame =
      stays && metadata === record?.metadata && (row.ttl === undefined || row.ttl === (record.ttl ?? null));
    row.change = changeOf(row, isSame, overwrite);
    if (row.change === "same") row.status = "unchanged";
    if (row.change === "ahead") row.status = "kept";
    if (row.change === "same" || row.change === "ahead") return undefined;
    const { consumer, topic, partition, nextOffset, ttl } = row;
    return { key: { consumer, topic, partition }, nextOffset, metadata, ttl };
  });
}

function changeOf({ from, nextOffset }: ImportRow, isSame: boolean, overwrite: boolean): ImportChange {
  if (from === undefined) return "new";
  if (isSame) return "same";
  if (from === nextOffset) return "settings";
  if (from < nextOffset) return "forward";
  return overwrite ? "back" : "ahead";
}

/** Makes a row into what is shown. */
export function importDocument(row: ImportRow): ImportDocument {
  const { consumer, topic, partition, from, nextOffset, metadata, ttl, change, owner, status } = row;
  return {
    consumer,
    topic,
    partition,
    ...(from !== undefined && { from: String(from) }),
    nextOffset: String(nextOffset),
    ...(metadata !== undefined && { metadata }),
    ...(ttl !== undefined && { ttl }),
    ...(change !== undefined && { change }),
    ...(owner !== undefined && { owner }),
    status,
  };
}

/** The columns of a plan, and of what became of it. */
export function importHeadings(isExecuted: boolean): string[] {
  return ["CONSUMER", "TOPIC", "PARTITION", "FROM", "TO", "CHANGE", ...(isExecuted ? ["RESULT"] : [])];
}

/** One row of either. */
export function importCells(row: ImportRow, isExecuted: boolean): string[] {
  const { consumer, topic, partition, from, nextOffset, status } = row;
  const cells = [
    consumer,
    topic,
    String(partition),
    from === undefined ? NOTHING : String(from),
    String(nextOffset),
    changeText(row),
  ];
  return isExecuted ? [...cells, status] : cells;
}

function changeText({ change, from, nextOffset }: ImportRow): string {
  const distance = from === undefined ? 0n : nextOffset - from;
  switch (change) {
    case "forward":
      return `${distance} forward`;
    case "back":
      return `${-distance} back`;
    case "ahead":
      return `stays, is ${-distance} ahead`;
    case "settings":
      return "TTL or metadata";
    default:
      return change ?? NOTHING;
  }
}
