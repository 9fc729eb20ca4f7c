import { requirePartitions } from "../require-partitions.ts";
import {
  validateMethods,
  validateKnownOptions,
  validateName,
  validatePartition,
  validateSignal,
} from "../driver/validation.ts";
import { topicTtl } from "../consumer/topic-ttl.ts";
import { LogSourceError } from "../errors/log-source-error.ts";
import type { LogSource } from "../log-source.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { CallOptions, OffsetStore } from "../offset-store.ts";
import { boundsOf, type PlannedReset, plannedReset } from "./planned-reset.ts";
import { placeText } from "./place-text.ts";
import { ResetPlanError } from "./reset-plan-error.ts";
import { isShift, type ResetTarget, validateResetTarget } from "./reset-target.ts";
import { readStoredPositions, type StoredPositions } from "./stored-positions.ts";
import { type LeftAlone, selectUndoable } from "./undoable.ts";

/** What {@link planReset} takes. */
export interface PlanResetOptions extends CallOptions {
  /** Where the positions are. */
  readonly store: Pick<OffsetStore, "list">;
  /** The log that they are positions of. */
  readonly log: Pick<LogSource, "partitions" | "listOffsets" | "admin">;
  /** Whose positions: exactly this name. */
  readonly consumer: string;
  /** All partitions of these topics. Omitted: those on which the consumer has a position. */
  readonly topics?: readonly string[] | undefined;
  /** Of them only these. */
  readonly partitions?: readonly number[] | undefined;
  /** Where to. */
  readonly to: ResetTarget;
}

/** The planned changes of a reset. */
export interface ResetPlan {
  readonly consumer: string;
  /** By topic and partition. */
  readonly resets: readonly PlannedReset[];
  /** So many records of the consumer are claimed and have no position; none of them is in the plan. */
  readonly withoutPosition: number;
  /** What an undo does not touch; of any other target there is none. */
  readonly leftAlone: readonly LeftAlone[];
}

/**
 * Plans a reset; writes nothing. A position outside of the log becomes the nearest end of the log, except for
 * `current`. Asks the log once for each topic. {@link applyReset} writes it.
 *
 * @throws ResetPlanError if there is no position to move, none to shift, no reset to undo, or the log does not have the
 * topic of one. No requested position is skipped silently.
 */
export async function planReset(options: PlanResetOptions): Promise<ResetPlan> {
  const request = resolved(options);
  const { store, log, consumer, topics, to, call } = request;
  const stored = await readStoredPositions(store, request, call);
  const named = topics === undefined ? withPosition(request, stored) : await ofTopics(request, topics);
  const { wanted, leftAlone } =
    to === "undo" ? selectUndoable(consumer, named.wanted, stored) : { wanted: named.wanted, leftAlone: [] };
  if (topics === undefined) {
    // Of an undo only now: what it leaves alone may be on a topic that the log does not have any more.
    for (const [topic, held] of wanted) requirePartitions(topic, await partitionsOf(request, topic), held);
  }
  if (isShift(to)) requireShiftable(consumer, wanted, stored);
  const resets: PlannedReset[] = [];
  for (const topic of [...wanted.keys()].sort()) {
    const ofTopic = wanted.get(topic) ?? [];
    const records = stored.get(topic) ?? new Map<number, OffsetRecord>();
    const isNew = ofTopic.some((partition) => !records.has(partition));
    const ttl = isNew ? await topicTtl(log, topic, call) : undefined;
    for (const bounds of await boundsOf(request, topic, ofTopic)) {
      resets.push({ topic, ...plannedReset(bounds, records.get(bounds.partition), to, ttl) });
    }
  }
  return { consumer, resets, withoutPosition: named.withoutPosition, leftAlone };
}

const OPTION_NAMES = ["store", "log", "consumer", "topics", "partitions", "to", "signal"];

type Request = PlanResetOptions & { readonly call: CallOptions };

function resolved(options: PlanResetOptions): Request {
  validateKnownOptions(options, OPTION_NAMES);
  const { store, log, consumer, topics, partitions, to, signal } = options;
  validateMethods("store", store, "an OffsetStore", ["list"]);
  validateMethods("log", log, "a LogSource", ["partitions", "listOffsets"]);
  validateName("consumer", consumer);
  if (topics !== undefined) validateList("topics", topics, (topic) => validateName("a topic", topic));
  if (partitions !== undefined) validateList("partitions", partitions, validatePartition);
  validateResetTarget(to);
  validateSignal(signal);
  return { ...options, topics: topics && [...new Set(topics)], call: { signal } };
}

function validateList(what: string, list: unknown, validate: (value: unknown) => void): void {
  if (!Array.isArray(list) || list.length === 0)
    throw new TypeError(`${what} must be an array with at least one entry`);
  for (const value of list as readonly unknown[]) validate(value);
}

interface NamedPartitions {
  readonly wanted: ReadonlyMap<string, readonly number[]>;
  readonly withoutPosition: number;
}

/** The partitions that the consumer has a position on; for an undo all that it has a record of, see `selectUndoable`. */
function withPosition(request: Request, stored: StoredPositions): NamedPartitions {
  const isUndo = request.to === "undo";
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

async function ofTopics({ log, partitions, call }: Request, topics: readonly string[]): Promise<NamedPartitions> {
  const wanted = new Map<string, readonly number[]>();
  for (const topic of topics) {
    const existing = await log.partitions(topic, call);
    if (partitions !== undefined) requirePartitions(topic, existing, partitions);
    wanted.set(topic, ascending(partitions ?? existing));
  }
  return { wanted, withoutPosition: 0 };
}

function requirePositions({ consumer, partitions, to }: Request, held: ReadonlyMap<string, readonly number[]>): void {
  const there = new Set([...held.values()].flat());
  const missing = partitions?.find((partition) => !there.has(partition));
  if (there.size > 0 && missing === undefined) return;
  const on = missing === undefined ? "" : ` on ${placeText({ partition: missing })}`;
  const advice = to === "undo" ? "" : "; to give it one, name the topic";
  throw new ResetPlanError(`consumer ${JSON.stringify(consumer)} has no position${on}${advice}`);
}

/** The partitions of a topic that the store knows of: where the log does not, its message would say nothing of why it is asked. */
async function partitionsOf({ log, consumer, call }: Request, topic: string): Promise<number[]> {
  try {
    return await log.partitions(topic, call);
  } catch (error) {
    if (!(error instanceof LogSourceError) || error.code !== "UNKNOWN_TOPIC") throw error;
    throw new ResetPlanError(
      `consumer ${JSON.stringify(consumer)} has a position on topic ${JSON.stringify(topic)}, which the log does not have; name the other topics, or delete the position`,
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
    throw new ResetPlanError(
      `consumer ${JSON.stringify(consumer)} has no position on ${placeText({ topic, partition })}${more}, so there is nothing to shift; leave the topic out to shift the positions that it has, or give an offset`,
    );
  }
}

function ascending(partitions: readonly number[]): number[] {
  return [...new Set(partitions)].sort((one, other) => one - other);
}
