import type { LogSource } from "../log-source.ts";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import { chooseOffsets, type OffsetChoice, type OffsetDecision } from "./choose-offsets.ts";
import { type ResolvedStart, timestampOf } from "./consumer-options.ts";
import { type LogBounds, lookUpBounds, lookUpTimestamps } from "./log-bounds.ts";

/** An absolute start that the log does not have, and what the reset policy made of it. */
export interface StartReset {
  readonly partition: number;
  readonly requested: bigint;
}

/** An answer per partition: a choice, or why there is none. */
export type OffsetChoices = Map<number, OffsetChoice | Error>;

/** Where partitions without a stored position begin. */
export interface StartOffsets {
  readonly choices: OffsetChoices;
  /** The partitions whose absolute start went to the reset policy. */
  readonly resets: readonly StartReset[];
}

/**
 * Resolves where to begin against the log's bounds (section 5.7): relative starts are clamped to the log, an absolute one
 * outside of it goes to the reset policy.
 */
export async function startOffsets(
  source: LogSource,
  topic: string,
  start: ResolvedStart,
  resetPolicy: OffsetResetPolicy,
  partitions: readonly number[],
  signal: AbortSignal,
): Promise<StartOffsets> {
  const choices: OffsetChoices = new Map();
  const decide: OffsetDecision = (partition, choice) => void choices.set(partition, choice);
  if (partitions.length === 0) return { choices, resets: [] };
  if (start.kind === "policy") {
    const questions = partitions.map((partition) => ({ partition, requested: -1n, lastOffsetFetched: -1n }));
    await chooseOffsets(source, topic, start.policy, "start", questions, signal, decide);
    return { choices, resets: [] };
  }
  const bounds = await lookUpBounds(source, topic, partitions, { signal });
  const timestamp = timestampOf(start);
  const entries = partitions.map((partition) => ({ partition, timestamp }));
  const listed = await lookUpTimestamps(source, topic, entries, bounds, { signal });
  const outside: number[] = [];
  for (const [partition, { earliest, latest }] of bounds) {
    const offset = offsetFor(start, { earliest, latest }, listed.get(partition) ?? latest);
    // A time is looked up after the bounds were: the log may have grown past them meanwhile.
    const isInside = offset >= earliest && (offset <= latest || start.kind === "timestamp");
    if (isInside) choices.set(partition, { offset, bounds: { earliest, latest } });
    else outside.push(partition);
  }
  if (start.kind !== "offset" || outside.length === 0) return { choices, resets: [] };
  // As in Kafine, the first fetch of a consumer without a stored position reports -1.
  const questions = outside.map((partition) => ({ partition, requested: start.offset, lastOffsetFetched: -1n }));
  await chooseOffsets(source, topic, resetPolicy, "beyond-log", questions, signal, decide);
  return { choices, resets: outside.map((partition) => ({ partition, requested: start.offset })) };
}

function offsetFor(start: Exclude<ResolvedStart, { kind: "policy" }>, bounds: LogBounds, listed: bigint): bigint {
  const { earliest, latest } = bounds;
  switch (start.kind) {
    case "offset":
      return start.offset;
    case "timestamp":
      return listed;
    case "from-beginning":
      return earliest + start.records < latest ? earliest + start.records : latest;
    case "from-end":
      return latest - start.records > earliest ? latest - start.records : earliest;
  }
}
