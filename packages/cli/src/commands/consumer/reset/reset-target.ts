import { UsageError } from "../../../failure/usage-error.ts";
import { parseMoment } from "../../../text/moment.ts";

/** Where positions are to go. */
export type ResetTarget =
  | { readonly kind: "earliest" | "latest" | "current" }
  /** Where the last reset found them. */
  | { readonly kind: "undo" }
  | { readonly kind: "offset"; readonly offset: bigint }
  | { readonly kind: "shift"; readonly by: bigint }
  /** The first record that is not older; `sinceMs` is asked when the log is, so that a duration ends then. */
  | { readonly kind: "time"; readonly sinceMs: () => number };

/** What the command line says of it. */
export interface ResetTargetOptions {
  readonly toEarliest?: boolean;
  readonly toLatest?: boolean;
  readonly toCurrent?: boolean;
  readonly toOffset?: bigint;
  readonly shiftBy?: bigint;
  readonly toDatetime?: string;
  /** In milliseconds. */
  readonly byDuration?: number;
  readonly undo?: boolean;
}

/**
 * Gives the one target that was asked for.
 *
 * @throws UsageError if it is none, several, or a date that is none.
 */
export function resetTargetOf(options: ResetTargetOptions, say: (line: string) => void): ResetTarget {
  const given: readonly (readonly [option: string, value: unknown, target: () => ResetTarget])[] = [
    ["--to-earliest", options.toEarliest, () => ({ kind: "earliest" })],
    ["--to-latest", options.toLatest, () => ({ kind: "latest" })],
    ["--to-current", options.toCurrent, () => ({ kind: "current" })],
    ["--to-offset", options.toOffset, () => ({ kind: "offset", offset: options.toOffset ?? 0n })],
    ["--shift-by", options.shiftBy, () => ({ kind: "shift", by: options.shiftBy ?? 0n })],
    ["--to-datetime", options.toDatetime, () => momentTarget(options.toDatetime ?? "", say)],
    ["--by-duration", options.byDuration, () => durationTarget(options.byDuration ?? 0)],
    ["--undo", options.undo, () => ({ kind: "undo" })],
  ];
  const [chosen, other] = given.filter(([, value]) => value !== undefined);
  if (chosen === undefined) {
    throw new UsageError(`consumer reset needs one of ${given.map(([option]) => option).join(", ")}`);
  }
  if (other !== undefined) throw new UsageError(`${chosen[0]} and ${other[0]} exclude each other`);
  return chosen[2]();
}

function momentTarget(text: string, say: (line: string) => void): ResetTarget {
  try {
    const { date, hasZone } = parseMoment(text);
    if (!hasZone) say(`--to-datetime ${text} has no zone: read as UTC, ${date.toISOString()}`);
    const sinceMs = notNegative(date.getTime());
    return { kind: "time", sinceMs: () => sinceMs };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--to-datetime ${error.message}`, { cause: error });
    throw error;
  }
}

function durationTarget(milliseconds: number): ResetTarget {
  return { kind: "time", sinceMs: () => notNegative(Date.now() - milliseconds) };
}

/** ListOffsets reads negative numbers as its commands, and no record is from before the epoch. */
function notNegative(milliseconds: number): number {
  return Math.max(milliseconds, 0);
}
