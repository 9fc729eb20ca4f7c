import type { LogSource, MemberRecord, OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import { failureLines } from "../commands/consumer/log-ends.ts";
import { comparePositions } from "../commands/consumer/position-order.ts";
import { readLogEnds } from "../commands/consumer/read-log-ends.ts";
import { withPatience } from "../context/with-patience.ts";
import { messageOf } from "../failure/report-failure.ts";

/** One position as one look found it. */
export interface ObservedPosition {
  readonly topic: string;
  readonly partition: number;
  /** Absent: claimed, and nothing committed yet. */
  readonly nextOffset?: bigint;
  /** Absent: the log did not say. */
  readonly logEnd?: bigint;
  /** The holder. Absent: none. */
  readonly owner?: string;
  /** Whether the holder lives, by its heartbeats. Absent: it has none. */
  readonly isLiving?: boolean;
  /** When the position or its holder's heartbeat was last written, by the store's clock. */
  readonly heardAtMs: number;
  /** When the position expires. Absent: never. */
  readonly expiresAtMs?: number;
}

/** All positions of one consumer, by topic and partition. */
export interface ObservedConsumer {
  readonly name: string;
  readonly positions: readonly ObservedPosition[];
  /** Sessions that live, by their heartbeats; where there are none, the different owners. */
  readonly members: number;
}

/** What one look at the store and the log found. */
export interface Observation {
  readonly atMs: number;
  /** How long it took. */
  readonly tookMs: number;
  /** By name. */
  readonly consumers: readonly ObservedConsumer[];
  /** What could not be found out: records that cannot be read, topics that the log does not know. */
  readonly warnings: readonly string[];
}

/**
 * Looks once: lists the store, its members, and where the log ends. That the log does not answer is a warning.
 *
 * @throws what the store throws if it does not answer, and the signal's reason if it is aborted.
 */
export async function observe(
  store: OffsetStore,
  openLog: () => Promise<LogSource>,
  signal: AbortSignal,
): Promise<Observation> {
  const startedMs = Date.now();
  const warnings: string[] = [];
  // Members first: a process that takes a position in between is not known yet, not one that has ended.
  const members = await listMembers(store, signal);
  const positions = await listPositions(store, members, signal, warnings);
  // After the store, so that no position lies beyond the log's end.
  try {
    const log = await withPatience(openLog, { signal });
    const { ends, failures } = await readLogEnds(log, topicsOf(positions), signal);
    for (const position of [...positions.values()].flat()) {
      const logEnd = ends.get(position.topic)?.get(position.partition);
      if (logEnd !== undefined) position.logEnd = logEnd;
    }
    warnings.push(...failureLines(failures));
  } catch (error) {
    signal.throwIfAborted();
    warnings.push(`warning: no lag is shown: ${messageOf(error)}`);
  }
  const consumers = [...positions].map(([name, ofConsumer]) => ({
    name,
    positions: ofConsumer.sort((one, other) => comparePositions(keyOf(name, one), keyOf(name, other))),
    members: memberCount(members.get(name), ofConsumer),
  }));
  consumers.sort((one, other) => (one.name < other.name ? -1 : 1));
  return { atMs: startedMs, tookMs: Date.now() - startedMs, consumers, warnings };
}

/** A position while it is being put together. */
type FoundPosition = { -readonly [Field in keyof ObservedPosition]: ObservedPosition[Field] };

/** Only what is shown is kept of each record, and one text of each name, however many records have it. */
async function listPositions(
  store: OffsetStore,
  members: Members,
  signal: AbortSignal,
  warnings: string[],
): Promise<ReadonlyMap<string, FoundPosition[]>> {
  const byConsumer = new Map<string, FoundPosition[]>();
  const texts = new Map<string, string>();
  const same = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  try {
    for await (const record of store.list({}, { signal })) {
      const position = positionOf(record, members.get(record.consumer), same);
      const others = byConsumer.get(record.consumer);
      if (others === undefined) byConsumer.set(record.consumer, [position]);
      else others.push(position);
    }
  } catch (error) {
    // Records that cannot be read are named after the others, which are shown.
    const { OffsetStoreError } = await import("@tidemark/core");
    if (!(error instanceof OffsetStoreError) || error.keys.length === 0) throw error;
    warnings.push(messageOf(error));
  }
  return byConsumer;
}

function topicsOf(positions: ReadonlyMap<string, readonly FoundPosition[]>): Set<string> {
  const topics = new Set<string>();
  for (const ofConsumer of positions.values()) for (const { topic } of ofConsumer) topics.add(topic);
  return topics;
}

function keyOf(consumer: string, { topic, partition }: ObservedPosition): OffsetKey {
  return { consumer, topic, partition };
}

type Members = ReadonlyMap<string, ReadonlyMap<string, MemberRecord>>;

async function listMembers(store: OffsetStore, signal: AbortSignal): Promise<Members> {
  const byConsumer = new Map<string, Map<string, MemberRecord>>();
  for await (const record of store.members({}, { signal })) {
    const members = byConsumer.get(record.consumer) ?? new Map<string, MemberRecord>();
    byConsumer.set(record.consumer, members.set(memberName(record.topic, record.member), record));
  }
  return byConsumer;
}

function memberName(topic: string, member: string): string {
  return JSON.stringify([topic, member]);
}

function positionOf(
  record: OffsetRecord,
  members: ReadonlyMap<string, MemberRecord> | undefined,
  same: (text: string) => string,
): FoundPosition {
  const { partition, nextOffset, owner, updatedAt, expiresAt } = record;
  const topic = same(record.topic);
  const member = record.member === undefined ? undefined : members?.get(memberName(topic, record.member));
  return {
    topic,
    partition,
    ...(nextOffset !== undefined && { nextOffset }),
    ...(owner !== undefined && { owner: same(owner) }),
    // A member that is not listed had no heartbeat within ten leases.
    ...(record.member !== undefined && { isLiving: member?.isLiving === true }),
    heardAtMs: Math.max(updatedAt.getTime(), member?.heardAt.getTime() ?? 0),
    ...(expiresAt !== undefined && { expiresAtMs: expiresAt.getTime() }),
  };
}

function memberCount(
  members: ReadonlyMap<string, MemberRecord> | undefined,
  positions: readonly ObservedPosition[],
): number {
  const living = [...(members?.values() ?? [])].filter(({ isLiving }) => isLiving).length;
  if (living > 0) return living;
  // Without heartbeats it is not known which of them are alive.
  return new Set(positions.flatMap(({ owner, isLiving }) => (isLiving === undefined ? (owner ?? []) : []))).size;
}

/** What lag lies between. */
interface LagEnds {
  readonly nextOffset?: bigint | undefined;
  readonly logEnd?: bigint | undefined;
}

/**
 * How many records lie beyond a position; `undefined` where the log did not say, or nothing is committed. Beyond the end of a topic
 * that was recreated there is none, and nothing that another partition's lag is less by.
 */
export function lagOf({ nextOffset, logEnd }: LagEnds): bigint | undefined {
  if (nextOffset === undefined || logEnd === undefined) return undefined;
  return logEnd > nextOffset ? logEnd - nextOffset : 0n;
}
