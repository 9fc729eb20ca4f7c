import type { FailedOutcome, OffsetStore, OffsetStoreError, ResetEntry, ResetOutcome } from "@tidemark/core";
import { CommandFailure } from "../../failure/command-failure.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { counted } from "../../text/visible-text.ts";
import { stopOnSignals } from "../consume/stop-on-signals.ts";
import {
  countStatuses,
  isAboutOneRecord,
  statusAfter,
  statusOf,
  type PlannedOutcome,
  type WriteStatus,
} from "./write-status.ts";

// Small enough for progress to be seen, and for Ctrl-C to end it soon.
const MOST_AT_ONCE = 1_000;

/** Something that is to be written, or not, and what became of it. */
export interface Writable {
  status: WriteStatus;
}

/** How positions are written. */
export interface WritePositionsOptions<Row extends Writable> {
  readonly store: OffsetStore;
  readonly rows: readonly Row[];
  /** `false`: looks only, for a plan. Default: true. */
  readonly write?: boolean;
  /** Says what to write of a batch, just before it is written; `undefined`: nothing, the row has its status from this. */
  readonly entriesOf: (batch: readonly Row[]) => Promise<readonly (ResetEntry | FailedOutcome | undefined)[]>;
  readonly onProgress: (doneCount: number) => void;
}

/** How the writing ended. */
export interface WriteEnd {
  /** The first thing that went wrong. */
  readonly failure: Error | undefined;
  /** Ctrl-C or SIGTERM came before the last batch. */
  readonly isInterrupted: boolean;
}

/**
 * Writes positions in batches that the store takes in one request, and notes in each row what became of it. Ends early, after
 * the batch that is on its way, at the first signal, and at the first failure that is not about one record alone.
 */
export async function writePositions<Row extends Writable>(options: WritePositionsOptions<Row>): Promise<WriteEnd> {
  const { store, rows, write = true, entriesOf, onProgress } = options;
  for (const row of rows) row.status = "not-tried";
  let isInterrupted = false;
  let failure: Error | undefined;
  const signals = stopOnSignals(() => {
    isInterrupted = true;
  });
  try {
    const size = Math.min(store.capabilities.maxBatch, MOST_AT_ONCE);
    for (let start = 0; start < rows.length && !isInterrupted; start += size) {
      const batch = rows.slice(start, start + size);
      const ended = await writeBatch(batch, entriesOf, write ? (entries) => store.reset(entries) : planned);
      failure ??= ended?.error;
      if (ended !== undefined && !ended.goesOn) break;
      onProgress(Math.min(start + size, rows.length));
    }
  } finally {
    signals.release();
  }
  return { failure, isInterrupted: isInterrupted && rows.some(({ status }) => status === "not-tried") };
}

async function planned(entries: readonly ResetEntry[]): Promise<PlannedOutcome[]> {
  return entries.map(() => ({ status: "planned" }));
}

async function writeBatch<Row extends Writable>(
  batch: readonly Row[],
  entriesOf: WritePositionsOptions<Row>["entriesOf"],
  write: (entries: readonly ResetEntry[]) => Promise<(ResetOutcome | PlannedOutcome)[]>,
): Promise<{ readonly error: Error; readonly goesOn: boolean } | undefined> {
  const { OffsetStoreError: StoreError } = await import("@tidemark/core");
  const entries: ResetEntry[] = [];
  const rows: Row[] = [];
  const failures: OffsetStoreError[] = [];
  const note = (row: Row, outcome: ResetOutcome | PlannedOutcome): void => {
    row.status = statusOf(outcome);
    if (outcome.status === "failed") failures.push(outcome.error);
  };
  try {
    const wanted = await entriesOf(batch);
    for (const [index, row] of batch.entries()) {
      const entry = wanted[index];
      if (entry === undefined) continue;
      if ("status" in entry) {
        note(row, entry);
      } else {
        entries.push(entry);
        rows.push(row);
      }
    }
  } catch (error) {
    return { error: asError(error), goesOn: false };
  }
  try {
    const outcomes = entries.length === 0 ? [] : await write(entries);
    for (const [index, row] of rows.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined) note(row, outcome);
    }
  } catch (error) {
    for (const row of rows) row.status = error instanceof StoreError ? statusAfter(error) : "failed";
    return { error: asError(error), goesOn: false };
  }
  const [first] = failures;
  return first && { error: first, goesOn: failures.every(isAboutOneRecord) };
}

/** What is said of an end that came too early. */
export interface RequireWrittenOptions {
  /** Whether it was more than a plan. */
  readonly isExecuted: boolean;
  /** What to do about it, a clause without a full stop. */
  readonly advice: string;
}

/** Fails if not all was written that was to be, or could be looked at, and says how much was. */
export function requireWritten(
  rows: readonly Writable[],
  { failure, isInterrupted }: WriteEnd,
  { isExecuted, advice }: RequireWrittenOptions,
): void {
  if (failure === undefined && !isInterrupted) return;
  const why = failure === undefined ? "stopped before the end" : messageOf(failure);
  const counts = countStatuses(rows.map(({ status }) => status));
  const parts = COUNTED.flatMap(([status, text]) => {
    const count = counts.get(status) ?? 0;
    return count > 0 ? [`${count} ${text}`] : [];
  });
  const what = isExecuted
    ? `of ${counted(rows.length, "position")} ${parts.join(", ")}; ${advice}`
    : "nothing is written";
  throw new CommandFailure(`${why}; ${what}`, { cause: failure });
}

const COUNTED: readonly (readonly [WriteStatus, string])[] = [
  ["written", "written"],
  ["unchanged", "the same already"],
  ["kept", "left where they are"],
  ["failed", "not written"],
  ["unknown", "written or not, the store did not say"],
  ["not-tried", "not tried"],
];

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
