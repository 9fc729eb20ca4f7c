import {
  describe,
  validateFunction,
  validateKnownOptions,
  validateMethods,
  validateSignal,
} from "../driver/validation.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { CallOptions, OffsetStore } from "../offset-store.ts";
import type { ResetPlan } from "./plan-reset.ts";
import { placeText } from "./place-text.ts";
import type { PlannedReset } from "./planned-reset.ts";
import { ResetPlanError } from "./reset-plan-error.ts";
import { writePositions } from "./write-positions.ts";
import type { WriteStatus } from "./write-status.ts";

/** What {@link applyReset} takes. An abort lets the batch that is on its way end. */
export interface ApplyResetOptions extends CallOptions {
  readonly store: Pick<OffsetStore, "capabilities" | "reset">;
  readonly plan: Pick<ResetPlan, "consumer" | "resets">;
  /** Hears after each batch how many positions are done. */
  readonly onProgress?: ((doneCount: number) => void) | undefined;
}

/** One position of a plan, and what became of it. */
export interface ResetResult extends PlannedReset {
  readonly status: WriteStatus;
  /** Where the position is instead of `from`, if the status is `moved`; then absent: there is none any more. */
  readonly current: bigint | undefined;
}

/**
 * Writes a plan, also for positions that do not change: a session that holds one drops the records in hand and
 * continues from there. What the plan computed from a position or a reset that has changed since is not written: the store
 * compares in the step of the write, its status is `moved`, and the others are written.
 *
 * @returns what was written, in the order of the plan.
 * @throws IncompleteWriteError unless all of it was; its `results` have the outcome of each position.
 */
export async function applyReset(options: ApplyResetOptions): Promise<readonly ResetResult[]> {
  validateKnownOptions(options, ["store", "plan", "onProgress", "signal"]);
  const { store, plan, onProgress, signal } = options;
  validateMethods("store", store, "an OffsetStore", ["reset"]);
  if (typeof plan !== "object" || !Array.isArray(plan?.resets)) {
    throw new TypeError(`plan must be a ResetPlan, not ${describe(plan)}`);
  }
  validateFunction("onProgress", onProgress);
  validateSignal(signal);
  const { consumer, resets } = plan;
  return await writePositions({
    store,
    rows: resets.map((planned): Row => ({ ...planned, status: "not-tried", current: undefined })),
    write: true,
    entriesOf: (batch) =>
      batch.map(({ topic, partition, from, to, metadata, ttl, isRelative, undoes }) => ({
        key: { consumer, topic, partition },
        nextOffset: to,
        metadata,
        ttl,
        ifNextOffset: isRelative ? (from ?? null) : undefined,
        ifResetFrom: undoes,
      })),
    onMoved: (row, { record }) => {
      row.current = record?.nextOffset;
      return new ResetPlanError(`${movedText(row, record)}, and was not written: plan the reset again`);
    },
    signal,
    onProgress,
  });
}

type Row = { -readonly [Field in keyof ResetResult]: ResetResult[Field] };

function movedText(row: Row, record: OffsetRecord | undefined): string {
  const place = placeText(row);
  const [from, current] = [row.from, row.current].map((offset) => offset ?? "no position");
  if (row.undoes === undefined) return `${place} has moved from ${from} to ${current} since the reset was planned`;
  if (record === undefined) return `${place} was at ${from} and was deleted since the undo was planned`;
  return `${place} was reset from ${from} to another position since the undo was planned (it is at ${current} now)`;
}
