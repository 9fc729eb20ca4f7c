import { describe, validateKnownOptions, validateOffset } from "../driver/validation.ts";

/**
 * Where positions are to go: the first record that the log has, its end, where they are (a partition without a position:
 * the end), where their last reset found them, an offset, the first record not older than a date, or by so many offsets on
 * or, negative, back.
 */
export type ResetTarget = "earliest" | "latest" | "current" | "undo" | bigint | Date | { readonly shiftBy: bigint };

const WORDS: readonly unknown[] = ["earliest", "latest", "current", "undo"];

/** @throws TypeError or RangeError */
export function validateResetTarget(to: unknown): asserts to is ResetTarget {
  if (typeof to === "bigint") return validateOffset("to", to);
  if (to instanceof Date) {
    if (Number.isNaN(to.getTime())) throw new RangeError("to is an invalid Date");
    return;
  }
  if (typeof to === "object" && to !== null && !Array.isArray(to)) {
    validateKnownOptions(to, ["shiftBy"]);
    if ("shiftBy" in to && typeof to.shiftBy === "bigint") return;
    throw new TypeError("to.shiftBy must be a bigint: the number of offsets to move, negative to move back");
  }
  if (!WORDS.includes(to)) {
    throw new TypeError(
      `to must be "earliest", "latest", "current", "undo", a bigint, a Date or { shiftBy }, not ${describe(to)}`,
    );
  }
}

/** Whether positions move forward or back by a number. */
export function isShift(to: ResetTarget): to is { readonly shiftBy: bigint } {
  return typeof to === "object" && !(to instanceof Date);
}
