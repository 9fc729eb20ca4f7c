import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, type LogSource } from "../log-source.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { CallOptions } from "../offset-store.ts";
import { placeText } from "./place-text.ts";
import { ResetPlanError } from "./reset-plan-error.ts";
import { isShift, type ResetTarget } from "./reset-target.ts";
import { undoableReset, type UndoableReset } from "./undoable.ts";

/** One position that is to be moved. */
export interface PlannedReset {
  readonly topic: string;
  readonly partition: number;
  /** What is stored. Absent: nothing is. */
  readonly from: bigint | undefined;
  readonly to: bigint;
  /** What was asked for, where the log does not have it and `to` is the nearest that it has. */
  readonly requested: bigint | undefined;
  /** The first record that the log has. */
  readonly earliest: bigint;
  /** The log's end. */
  readonly latest: bigint;
  /** Offsets that the log has and that will not be read now. What it has lost is not skipped by this. */
  readonly skipped: bigint;
  /** Offsets that will be read again. What lies beyond the log's end was never read from this log. */
  readonly readAgain: bigint;
  /** `to` is computed from `from`: {@link applyReset} writes it only while that is the stored position. */
  readonly isRelative: boolean;
  /** No record is as late as was asked: `to` is the end. */
  readonly isBeyondTime: boolean;
  /** The reset that is undone: {@link applyReset} writes only while it is the last one. Absent: none is. */
  readonly undoes: UndoableReset | undefined;
  /** That of a position that stays; of any other it is empty, for it was written for the old one. */
  readonly metadata: string;
  /** The topic's, for a position that is not there yet. Absent: what the record has, stays. */
  readonly ttl: number | undefined;
  /** The owner of the last claim, which may be running. */
  readonly owner: string | undefined;
}

/** What the log is asked about bounds. */
export interface BoundsQuestion {
  readonly log: Pick<LogSource, "listOffsets">;
  readonly to: ResetTarget;
  readonly call: CallOptions;
}

/** Where a partition of the log begins and ends. */
export interface Bounds {
  readonly partition: number;
  readonly earliest: bigint;
  readonly latest: bigint;
  /** The first record not older than the target's time; absent: none is that late. */
  readonly atTime: bigint | undefined;
}

/** Asks the log once for the bounds of partitions, and where the time is that they are to go to, if it is one. */
export async function boundsOf(
  { log, to, call }: BoundsQuestion,
  topic: string,
  partitions: readonly number[],
): Promise<Bounds[]> {
  // No record is from before the epoch, and ListOffsets reads negative numbers as its commands.
  const sinceMs = to instanceof Date ? [Math.max(to.getTime(), 0)] : [];
  const timestamps = [EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, ...sinceMs];
  const answers = await log.listOffsets(
    topic,
    timestamps.flatMap((timestamp) => partitions.map((partition) => ({ partition, timestamp }))),
    call,
  );
  return partitions.map((partition, index): Bounds => {
    const [earliest, latest, atTime] = timestamps.map((_, turn) => answers[turn * partitions.length + index]?.offset);
    if (earliest === undefined || latest === undefined) {
      throw new ResetPlanError(`the log returned no bounds for ${placeText({ topic, partition })}`);
    }
    return { partition, earliest, latest, atTime };
  });
}

/** Where a position goes. */
export function plannedReset(
  { partition, earliest, latest, atTime }: Bounds,
  record: OffsetRecord | undefined,
  target: ResetTarget,
  topicTtlMs: number | undefined,
): Omit<PlannedReset, "topic"> {
  const from = record?.nextOffset;
  const undoes = target === "undo" ? undoableReset(record) : undefined;
  const wish = wishOf(target, { earliest, latest, atTime, from, before: undoes?.nextOffset });
  // As Kafka's tool: a position that is to stay does so wherever it lies.
  const staysOutside = target === "current" && from !== undefined;
  const to = staysOutside ? wish : within(wish, earliest, latest);
  return {
    partition,
    from,
    to,
    requested: to === wish ? undefined : wish,
    earliest,
    latest,
    skipped: from === undefined ? 0n : notNegative(to - (from > earliest ? from : earliest)),
    readAgain: from === undefined ? 0n : notNegative((from < latest ? from : latest) - to),
    isRelative: target === "current" || isShift(target),
    isBeyondTime: target instanceof Date && atTime === undefined,
    undoes,
    metadata: to === from ? (record?.metadata ?? "") : "",
    ttl: record === undefined ? topicTtlMs : undefined,
    owner: record?.owner,
  };
}

interface Places extends Omit<Bounds, "partition"> {
  /** What is stored. */
  readonly from: bigint | undefined;
  /** What was stored before the reset that is undone. */
  readonly before: bigint | undefined;
}

function wishOf(target: ResetTarget, at: Places): bigint {
  if (typeof target === "bigint") return target;
  if (target instanceof Date) return at.atTime ?? at.latest;
  if (isShift(target)) return (at.from ?? 0n) + target.shiftBy;
  switch (target) {
    case "earliest":
      return at.earliest;
    case "latest":
      return at.latest;
    case "current":
      return at.from ?? at.latest;
    case "undo":
      return at.before ?? at.latest;
  }
}

function within(offset: bigint, earliest: bigint, latest: bigint): bigint {
  if (offset > latest) return latest;
  return offset < earliest ? earliest : offset;
}

function notNegative(count: bigint): bigint {
  return count > 0n ? count : 0n;
}
