import {
  describe,
  validateFunction,
  validateKnownOptions,
  validateMethods,
  validateSignal,
} from "../driver/validation.ts";
import type { CallOptions, OffsetStore } from "../offset-store.ts";
import type { ResetPlan } from "./plan-reset.ts";
import type { PlannedReset } from "./planned-reset.ts";
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
}

/**
 * Writes a plan, also for positions that do not change: a session that holds one drops the records in hand and
 * continues from there.
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
    rows: resets.map((planned) => ({ ...planned, status: "not-tried" as WriteStatus })),
    write: true,
    entriesOf: (batch) =>
      batch.map(({ topic, partition, to, metadata, ttl }) => ({
        key: { consumer, topic, partition },
        nextOffset: to,
        metadata,
        ttl,
      })),
    signal,
    onProgress,
  });
}
