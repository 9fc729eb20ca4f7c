export { applyReset, type ApplyResetOptions, type ResetResult } from "./apply-reset.ts";
export {
  applyImport,
  type ImportChange,
  type ImportOptions,
  type ImportResult,
  planImport,
} from "./import-positions.ts";
export type { ImportedPosition } from "./imported-position.ts";
export { type IncompleteWrite, IncompleteWriteError } from "./incomplete-write-error.ts";
export { parsePosition } from "./parse-position.ts";
export { planReset, type PlanResetOptions, type ResetPlan } from "./plan-reset.ts";
export type { PlannedReset } from "./planned-reset.ts";
export { requirePartitions } from "../require-partitions.ts";
export { ResetPlanError } from "./reset-plan-error.ts";
export type { ResetTarget } from "./reset-target.ts";
export type { LeftAlone, UndoableReset } from "./undoable.ts";
export type { WriteStatus } from "./write-status.ts";
