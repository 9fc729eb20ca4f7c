import { validateMetadata } from "../driver/entry-validation.ts";
import {
  describe,
  validateFields,
  validateFunction,
  validateKey,
  validateKnownOptions,
  validateMethods,
  validateOffset,
  validateSignal,
  validateTtl,
} from "../driver/validation.ts";
import type { OffsetKey } from "../key.ts";
import { formatKey } from "../key.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { CallOptions, FailedOutcome, MovedOutcome, OffsetStore, ResetEntry } from "../offset-store.ts";
import type { ImportedPosition } from "./imported-position.ts";
import { writePositions } from "./write-positions.ts";
import type { WriteStatus } from "./write-status.ts";

/** What {@link planImport} and {@link applyImport} take. An abort lets the batch that is on its way end. */
export interface ImportOptions extends CallOptions {
  /** Where the positions go. */
  readonly store: Pick<OffsetStore, "capabilities" | "fetch" | "reset">;
  /** What is imported, each key once. */
  readonly positions: readonly ImportedPosition[];
  /** Whether positions may also go back. Default false: one that is ahead stays. */
  readonly overwrite?: boolean | undefined;
  /** Hears after each batch how many positions are done. */
  readonly onProgress?: ((doneCount: number) => void) | undefined;
}

/**
 * What an import does to a position: `new` (there is none), `forward`, `back`, `settings` (the same position with another TTL
 * or other metadata), `same`; `ahead` (what is there is ahead, and stays); `unreadable`.
 */
export type ImportChange = "new" | "forward" | "back" | "settings" | "same" | "ahead" | "unreadable";

/** One position of an import, what the target has, and what becomes of it. */
export interface ImportResult extends ImportedPosition {
  readonly status: WriteStatus;
  /** Absent: it was not looked at. */
  readonly change: ImportChange | undefined;
  /** What the target has. Absent: nothing. */
  readonly from: bigint | undefined;
  /** The owner of the last claim, which may be running. */
  readonly owner: string | undefined;
}

/**
 * Plans an import; writes nothing.
 *
 * @returns the change of each position, in the order given.
 * @throws IncompleteWriteError unless all of the target could be read.
 */
export async function planImport(options: ImportOptions): Promise<readonly ImportResult[]> {
  return await importPositions(options, false);
}

/**
 * Imports positions. Each batch is looked at just before it is written, and written only where nothing else was meanwhile: what
 * a consumer has stored is not taken back, unless with `overwrite`. A position that is as it should be is not written, so that the same import again changes
 * nothing; a session that holds one that is written continues from there.
 *
 * @returns what became of each position, in the order given.
 * @throws IncompleteWriteError unless all of it could be done; its `results` say what became of each position.
 */
export async function applyImport(options: ImportOptions): Promise<readonly ImportResult[]> {
  return await importPositions(options, true);
}

const OPTION_NAMES = ["store", "positions", "overwrite", "onProgress", "signal"];
const POSITION_FIELDS = ["consumer", "topic", "partition", "nextOffset", "metadata", "ttl"];

async function importPositions(options: ImportOptions, write: boolean): Promise<readonly ImportResult[]> {
  validateKnownOptions(options, OPTION_NAMES);
  const { store, positions, overwrite = false, onProgress, signal } = options;
  validateMethods("store", store, "an OffsetStore", ["fetch", "reset"]);
  if (typeof overwrite !== "boolean") throw new TypeError(`overwrite must be a boolean, not ${describe(overwrite)}`);
  validateFunction("onProgress", onProgress);
  validateSignal(signal);
  return await writePositions({
    store,
    rows: rowsOf(positions),
    write,
    entriesOf: (batch) => lookAtTarget(store, batch, overwrite),
    onMoved,
    signal,
    onProgress,
  });
}

type Row = { -readonly [Field in keyof ImportResult]: ImportResult[Field] };

function rowsOf(positions: unknown): Row[] {
  if (!Array.isArray(positions)) throw new TypeError(`positions must be an array, not ${describe(positions)}`);
  const seen = new Set<string>();
  return positions.map((position: ImportedPosition): Row => {
    validateFields("a position", position, POSITION_FIELDS);
    const key = validateKey(position);
    const { nextOffset, metadata, ttl } = position;
    validateOffset("nextOffset", nextOffset);
    validateMetadata(metadata);
    validateTtl(ttl);
    const identity = identityOf(key);
    if (seen.has(identity)) throw new TypeError(`positions has ${formatKey(key)} twice`);
    seen.add(identity);
    return {
      ...{ ...key, nextOffset, metadata, ttl },
      ...{ status: "not-tried", change: undefined, from: undefined, owner: undefined },
    };
  });
}

/** A name's length before it: no two keys run into one. */
function identityOf({ consumer, topic, partition }: OffsetKey): string {
  return `${consumer.length}/${consumer}${partition}/${topic}`;
}

/** Looks at what the target has of some positions, notes in their rows what that makes of them, and gives what is to be written. */
async function lookAtTarget(
  store: Pick<OffsetStore, "fetch">,
  rows: readonly Row[],
  overwrite: boolean,
): Promise<(ResetEntry | FailedOutcome | undefined)[]> {
  const keys = rows.map(({ consumer, topic, partition }) => ({ consumer, topic, partition }));
  const outcomes = await store.fetch(keys);
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
    row.change = changeOf(row, isSame(row, record), overwrite);
    if (row.change === "same") row.status = "unchanged";
    if (row.change === "ahead") row.status = "kept";
    if (row.change === "same" || row.change === "ahead") return undefined;
    const { consumer, topic, partition, nextOffset, ttl } = row;
    const ifNextOffset = overwrite ? undefined : (row.from ?? null);
    return { key: { consumer, topic, partition }, nextOffset, metadata, ttl, ifNextOffset };
  });
}

/** A position that was written between the look and the write stays; it is no failure if it is as far as the import says. */
function onMoved(row: Row, { record }: MovedOutcome): Error | undefined {
  row.from = record?.nextOffset;
  row.owner = record?.owner;
  row.change = changeOf(row, isSame(row, record), false);
  if (row.change === "same") row.status = "unchanged";
  else if (row.change === "ahead") row.status = "kept";
  else {
    const current = row.from ?? "no position";
    return new Error(`${formatKey(row)} was moved to ${current} meanwhile, and was not written: import it again`);
  }
  return undefined;
}

/** Whether a record is as the input says; what that does not say may be anything. */
function isSame({ nextOffset, metadata, ttl }: Row, record: OffsetRecord | undefined): boolean {
  if (record?.nextOffset !== nextOffset) return false;
  return (
    (metadata === undefined || metadata === record.metadata) && (ttl === undefined || ttl === (record.ttl ?? null))
  );
}

function changeOf({ from, nextOffset }: Row, staysSame: boolean, overwrite: boolean): ImportChange {
  if (from === undefined) return "new";
  if (staysSame) return "same";
  if (from === nextOffset) return "settings";
  if (from < nextOffset) return "forward";
  return overwrite ? "back" : "ahead";
}
