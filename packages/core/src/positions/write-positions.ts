import { withHelp } from "../errors/error-help.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { FailedOutcome, MovedOutcome, OffsetStore, ResetEntry } from "../offset-store.ts";
import { IncompleteWriteError } from "./incomplete-write-error.ts";
import { countStatuses, isAboutOneRecord, statusAfter, statusOf, type WriteStatus } from "./write-status.ts";

// Small enough for progress to be seen, and for an abort to end it soon.
const MOST_AT_ONCE = 1_000;

/** Something that is to be written, or not, and what became of it. */
export interface Writable {
  status: WriteStatus;
}

/** What to write of a row; a failure, if it could not be looked at; `undefined`: nothing, and the row has its status. */
export type WantedWrite = ResetEntry | FailedOutcome | undefined;

/** How positions are written. */
export interface WritePositionsOptions<Row extends Writable> {
  readonly store: Pick<OffsetStore, "capabilities" | "reset">;
  readonly rows: readonly Row[];
  /** `false`: looks only, for a plan. */
  readonly write: boolean;
  /** Says what to write of a batch, just before it is written. */
  readonly entriesOf: (batch: readonly Row[]) => Promise<readonly WantedWrite[]> | readonly WantedWrite[];
  /** Notes in a row that its position is not where it was expected, and says so, unless that is well. */
  readonly onMoved: (row: Row, outcome: MovedOutcome) => Error | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((doneCount: number) => void) | undefined;
}

/**
 * Writes positions in batches that the store takes in one request, and notes in each row what became of it. Ends early, after
 * the batch that is on its way, when the signal aborts, and at the first failure that is not about one record alone.
 *
 * @throws IncompleteWriteError unless all was written, or looked at.
 */
export async function writePositions<Row extends Writable>(
  options: WritePositionsOptions<Row>,
): Promise<readonly Row[]> {
  const { store, rows, signal, onProgress } = options;
  signal?.throwIfAborted();
  for (const row of rows) row.status = "not-tried";
  let failure: Error | undefined;
  const size = Math.min(store.capabilities.maxBatch, MOST_AT_ONCE);
  for (let start = 0; start < rows.length; start += size) {
    if (signal?.aborted === true) {
      throw incomplete(failure ?? "stopped before the end", failure ?? signal.reason, options);
    }
    const ended = await writeBatch(rows.slice(start, start + size), options);
    failure ??= ended?.error;
    if (ended !== undefined && !ended.goesOn) break;
    try {
      onProgress?.(Math.min(start + size, rows.length));
    } catch (error) {
      throw incomplete(asError(error), error, options);
    }
  }
  if (failure !== undefined) throw incomplete(failure, failure, options);
  return rows;
}

async function writeBatch<Row extends Writable>(
  batch: readonly Row[],
  { store, write, entriesOf, onMoved }: WritePositionsOptions<Row>,
): Promise<{ readonly error: Error; readonly goesOn: boolean } | undefined> {
  const entries: ResetEntry[] = [];
  const rows: Row[] = [];
  const failures: Error[] = [];
  try {
    const wanted = await entriesOf(batch);
    for (const [index, row] of batch.entries()) {
      const entry = wanted[index];
      if (entry === undefined) continue;
      if ("status" in entry) {
        row.status = statusAfter(entry.error);
        failures.push(entry.error);
      } else {
        entries.push(entry);
        rows.push(row);
      }
    }
  } catch (error) {
    return { error: asError(error), goesOn: false };
  }
  try {
    const outcomes = !write || entries.length === 0 ? [] : await store.reset(entries);
    for (const [index, row] of rows.entries()) {
      const outcome = outcomes[index];
      row.status = outcome === undefined ? "planned" : statusOf(outcome);
      if (outcome?.status === "failed") failures.push(outcome.error);
      const moved = outcome?.status === "moved" ? onMoved(row, outcome) : undefined;
      if (moved !== undefined) failures.push(moved);
    }
  } catch (error) {
    for (const row of rows) row.status = error instanceof OffsetStoreError ? statusAfter(error) : "failed";
    return { error: asError(error), goesOn: false };
  }
  const [first] = failures;
  return first && { error: first, goesOn: failures.every(isAboutOneRecord) };
}

function incomplete<Row extends Writable>(
  why: Error | string,
  cause: unknown,
  { rows, write }: WritePositionsOptions<Row>,
): IncompleteWriteError<Row> {
  const text = `${why instanceof Error ? why.message : why}; ${write ? countsText(rows) : "nothing was written"}`;
  const message = cause instanceof OffsetStoreError ? withHelp(text, cause.code) : text;
  return new IncompleteWriteError(message, { results: rows, cause });
}

const COUNTED: readonly (readonly [WriteStatus, string])[] = [
  ["written", "written"],
  ["unchanged", "already the same"],
  ["kept", "left unchanged"],
  ["moved", "moved meanwhile"],
  ["failed", "not written"],
  ["unknown", "not known whether written"],
  ["not-tried", "not tried"],
];

function countsText(rows: readonly Writable[]): string {
  const counts = countStatuses(rows);
  const parts = COUNTED.flatMap(([status, text]) => {
    const count = counts.get(status) ?? 0;
    return count > 0 ? [`${count} ${text}`] : [];
  });
  return `of ${rows.length} position${rows.length === 1 ? "" : "s"} ${parts.join(", ")}`;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
