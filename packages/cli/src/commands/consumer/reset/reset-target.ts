import type { ResetTarget } from "@tidemark/core/positions";
import { UsageError } from "../../../failure/usage-error.ts";
import { parseMoment } from "../../../text/moment.ts";

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
    ["--to-earliest", options.toEarliest, () => "earliest"],
    ["--to-latest", options.toLatest, () => "latest"],
    ["--to-current", options.toCurrent, () => "current"],
    ["--to-offset", options.toOffset, () => options.toOffset ?? 0n],
    ["--shift-by", options.shiftBy, () => ({ shiftBy: options.shiftBy ?? 0n })],
    ["--to-datetime", options.toDatetime, () => momentTarget(options.toDatetime ?? "", say)],
    ["--by-duration", options.byDuration, () => new Date(Date.now() - (options.byDuration ?? 0))],
    ["--undo", options.undo, () => "undo"],
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
    return date;
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--to-datetime ${error.message}`, { cause: error });
    throw error;
  }
}
