import type { LogSource, OffsetRecord, OffsetStore } from "@tidemark/core";
import { CommandFailure } from "../../../failure/command-failure.ts";
import { withNearTopic } from "../../near-topic.ts";
import { requirePartitions } from "../../topic-partitions.ts";
import { selectionText } from "../position-selection.ts";
import type { ResetTarget } from "./reset-target.ts";
import { readStoredPositions, type StoredPositions, type StoredSelection } from "./stored-positions.ts";
import { selectUndoable, undoableReset, type LeftAlone, type UndoableReset } from "./undoable.ts";

/**
 * What is to be moved, and where to: all partitions of some topics; without topics, those on which the consumer has a
 * position.
 */
export interface ResetRequest extends StoredSelection {
  readonly target: ResetTarget;
}

/** One position that is to be moved. */
export interface PlannedReset {
  readonly topic: string;
  readonly partition: number;
  /** What is stored; absent: nothing is. */
  readonly from: bigint | undefined;
  readonly to: bigint;
  /** What was asked for, where the log does not have it and `to` is the nearest that it has. */
  readonly requested: bigint | undefined;
  /** The log's bounds. */
  readonly earliest: bigint;
  readonly latest: bigint;
  /** No record is as late as was asked: `to` is the end. */
  readonly isBeyondTime: boolean;
  /** The reset that is undone. Absent: none is. */
  readonly undoes: UndoableReset | undefined;
  /** That of a position that stays; of any other it is empty, for it was written for the old one. */
  readonly metadata: string;
  /** The topic's, for a position that is not there yet. Absent: what the record has, stays. */
  readonly ttl: number | undefined;
  /** Who claimed it last, and may be running. */
  readonly owner: string | undefined;
}

/** What a reset comes to. */
export interface ResetPlan {
  /** By topic and partition. */
  readonly resets: readonly PlannedReset[];
  /** So many records of the consumer are claimed and have no position; none of them is in the plan. */
  readonly withoutPosition: number;
  /** What an undo does not touch; of any other target there is none. */
  readonly leftAlone: readonly LeftAlone[];
}

/**
 * Finds out what a reset comes to; writes nothing. Asks the log once for each topic.
 *
 * @throws CommandFailure for a partition that is not there, for no position at all, for one that cannot be shifted
 *   because there is none, and for an undo without any reset to undo.
 */
export async function planReset(log: LogSource, store: OffsetStore, request: ResetRequest): Promise<ResetPlan> {
  const { consumer, topics, target } = request;
  const stored = await readStoredPositions(store, request);
  const named = topics === undefined ? withPosition(request, stored) : await ofTopics(log, topics, request);
  const { wanted, leftAlone } =
    target.kind === "undo" ? selectUndoable(consumer, named.wanted, stored) : { wanted: named.wanted, leftAlone: [] };
  if (topics === undefined) {
    // Of an undo only now: what it leaves alone may be on a topic that the log does not have any more.
    for (const [topic, held] of wanted) await requirePartitions(topic, await partitionsOf(log, consumer, topic), held);
  }
  if (target.kind === "shift") requireShiftable(consumer, wanted, stored);
  const resets: PlannedReset[] = [];
  for (const topic of [...wanted.keys()].sort()) {
    const ofTopic = wanted.get(topic) ?? [];
    const records = stored.get(topic) ?? new Map<number, OffsetRecord>();
    const isNew = ofTopic.some((partition) => !records.has(partition));
    const ttl = isNew ? await consumerTtlOf(log, topic) : undefined;
    for (const bounds of await boundsOf(log, topic, ofTopic, target)) {
      resets.push({ topic, ...moved(bounds, records.get(bounds.partition), target, ttl) });
    }
  }
  return { resets, withoutPosition: named.withoutPosition, leftAlone };
}

interface NamedPartitions {
  readonly wanted: ReadonlyMap<string, readonly number[]>;
  readonly withoutPosition: number;
}

/** The partitions that the consumer has a position on; for an undo all that it has a record of, which it tells apart itself. */
function withPosition(request: ResetRequest, stored: StoredPositions): NamedPartitions {
  const isUndo = request.target.kind === "undo";
  const wanted = new Map<string, readonly number[]>();
  let withoutPosition = 0;
  for (const [topic, records] of stored) {
    const held = [...records.values()].filter(({ nextOffset }) => isUndo || nextOffset !== undefined);
    withoutPosition += records.size - held.length;
    if (held.length > 0) wanted.set(topic, ascending(held.map(({ partition }) => partition)));
  }
  requirePositions(request, wanted);
  return { wanted, withoutPosition };
}

async function ofTopics(
  log: LogSource,
  topics: readonly string[],
  { partitions }: ResetRequest,
): Promise<NamedPartitions> {
  const wanted = new Map<string, readonly number[]>();
  for (const topic of topics) {
    const existing = await withNearTopic(log, topic, () => log.partitions(topic));
    if (partitions !== undefined) await requirePartitions(topic, existing, partitions);
    wanted.set(topic, ascending(partitions ?? existing));
  }
  return { wanted, withoutPosition: 0 };
}

function requirePositions(
  { consumer, partitions, target }: ResetRequest,
  held: ReadonlyMap<string, readonly number[]>,
): void {
  const there = new Set([...held.values()].flat());
  const missing = partitions?.find((partition) => !there.has(partition));
  if (there.size > 0 && missing === undefined) return;
  const advice = target.kind === "undo" ? "" : "; to give it one, name the topic with --topic";
  throw new CommandFailure(`${selectionText(consumer, missing === undefined ? {} : { partition: missing })}${advice}`);
}

/** The partitions of a topic that the store knows of: where the log does not, its message would say nothing of why it is asked. */
async function partitionsOf(log: LogSource, consumer: string, topic: string): Promise<number[]> {
  const { LogSourceError } = await import("@tidemark/core");
  try {
    return await log.partitions(topic);
  } catch (error) {
    if (!(error instanceof LogSourceError) || error.code !== "UNKNOWN_TOPIC") throw error;
    throw new CommandFailure(
      `consumer ${JSON.stringify(consumer)} has a position on topic ${JSON.stringify(topic)}, which the log does not have; choose others with --topic, or remove it with tidemark consumer delete`,
      { cause: error },
    );
  }
}

function requireShiftable(
  consumer: string,
  wanted: ReadonlyMap<string, readonly number[]>,
  stored: StoredPositions,
): void {
  for (const [topic, partitions] of wanted) {
    const lacking = partitions.filter((partition) => stored.get(topic)?.get(partition)?.nextOffset === undefined);
    const [partition] = lacking;
    if (partition === undefined) continue;
    const more = lacking.length > 1 ? ` and ${lacking.length - 1} more` : "";
    throw new CommandFailure(
      `${selectionText(consumer, { topic, partition })}${more}, so there is nothing to shift; leave --topic out to shift what it has, or say --to-offset`,
    );
  }
}

/** How long a new position on a topic lives: as if a consumer had written it. */
async function consumerTtlOf(log: LogSource, topic: string): Promise<number | undefined> {
  const { LogSourceError } = await import("@tidemark/core");
  try {
    return (await log.admin?.describeTopic(topic))?.consumerTtl;
  } catch (error) {
    if (error instanceof LogSourceError && error.code === "UNSUPPORTED") return undefined;
    throw error;
  }
}

interface Bounds {
  readonly partition: number;
  readonly earliest: bigint;
  readonly latest: bigint;
  /** The first record not older than the target's time; absent: none is that late. */
  readonly atTime: bigint | undefined;
}

async function boundsOf(
  log: LogSource,
  topic: string,
  partitions: readonly number[],
  target: ResetTarget,
): Promise<Bounds[]> {
  const { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } = await import("@tidemark/core");
  const timestamps = [EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, ...(target.kind === "time" ? [target.sinceMs()] : [])];
  const answers = await log.listOffsets(
    topic,
    timestamps.flatMap((timestamp) => partitions.map((partition) => ({ partition, timestamp }))),
  );
  return partitions.map((partition, index): Bounds => {
    const [earliest, latest, atTime] = timestamps.map((_, turn) => answers[turn * partitions.length + index]?.offset);
    if (earliest === undefined || latest === undefined) {
      throw new CommandFailure(
        `the log does not tell the bounds of topic ${JSON.stringify(topic)} partition ${partition}`,
      );
    }
    return { partition, earliest, latest, atTime };
  });
}

function moved(
  { partition, earliest, latest, atTime }: Bounds,
  record: OffsetRecord | undefined,
  target: ResetTarget,
  topicTtl: number | undefined,
): Omit<PlannedReset, "topic"> {
  const from = record?.nextOffset;
  const undoes = target.kind === "undo" ? undoableReset(record) : undefined;
  const wish = wishOf(target, { earliest, latest, atTime, from, before: undoes?.nextOffset });
  // As Kafka's tool: a position that is to stay does so wherever it lies.
  const staysOutside = target.kind === "current" && from !== undefined;
  const to = staysOutside ? wish : within(wish, earliest, latest);
  return {
    partition,
    from,
    to,
    requested: to === wish ? undefined : wish,
    earliest,
    latest,
    isBeyondTime: target.kind === "time" && atTime === undefined,
    undoes,
    metadata: to === from ? (record?.metadata ?? "") : "",
    ttl: record === undefined ? topicTtl : undefined,
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
  switch (target.kind) {
    case "earliest":
      return at.earliest;
    case "latest":
      return at.latest;
    case "current":
      return at.from ?? at.latest;
    case "undo":
      return at.before ?? at.latest;
    case "offset":
      return target.offset;
    case "shift":
      return (at.from ?? 0n) + target.by;
    case "time":
      return at.atTime ?? at.latest;
  }
}

function within(offset: bigint, earliest: bigint, latest: bigint): bigint {
  if (offset > latest) return latest;
  return offset < earliest ? earliest : offset;
}

function ascending(partitions: readonly number[]): number[] {
  return [...new Set(partitions)].sort((one, other) => one - other);
}
