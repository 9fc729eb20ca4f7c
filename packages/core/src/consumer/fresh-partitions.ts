import { defaultOffsetResetPolicy } from "../offset-reset-policy.ts";
import type { PartitionProgress } from "../session/partition-progress.ts";
import type { ConsumerContext } from "./consumer-context.ts";
import { logOf } from "./log-bounds.ts";
import { resetEvent } from "./reset-event.ts";
import type { ResolvedStart } from "./start-position.ts";
import { topicTtl } from "./topic-ttl.ts";
import { startOffsets } from "./where-to-read.ts";

/** Where partitions that are added later begin, regardless of `start`. */
export const EARLIEST: ResolvedStart = { kind: "policy", policy: defaultOffsetResetPolicy };

/**
 * Gives partitions without a position the one where `start` begins, and those from number `first` on their earliest record; durable
 * when this resolves. All or nothing: a start that one partition lacks is not stored for the others.
 */
export async function beginFresh<Transaction>(
  { source, options, session, emit, signal: own, closed }: ConsumerContext<Transaction>,
  fresh: readonly PartitionProgress[],
  start: ResolvedStart,
  first: number,
): Promise<void> {
  if (fresh.length === 0) return;
  const { topic, resetPolicy } = options;
  const log = logOf(source, topic);
  const signal = own === undefined ? closed : AbortSignal.any([own, closed]);
  const numbers = fresh.map(({ key }) => key.partition);
  const isFirst = (partition: number): boolean => partition < first;
  const late = numbers.filter((partition) => !isFirst(partition));
  const choices = new Map([
    ...(await startOffsets(log, start, resetPolicy, numbers.filter(isFirst), signal)),
    ...(await startOffsets(log, EARLIEST, resetPolicy, late, signal)),
  ]);
  for (const choice of choices.values()) if (choice instanceof Error) throw choice;
  const wantsTopicTtl = session !== undefined && options.session.ttl === undefined;
  const ttl = wantsTopicTtl ? await topicTtl(source, topic, { signal }) : undefined;
  for (const progress of fresh) {
    const { partition } = progress.key;
    const choice = choices.get(partition);
    if (choice === undefined || choice instanceof Error) throw new Error(`partition ${partition} got no start`);
    const { nextOffset, mark, bounds, requested: from } = choice;
    if (session === undefined) progress.beginAt(nextOffset, mark);
    else session.startAt(partition, nextOffset, { ttl, mark });
    if (from === undefined) continue;
    const reason = from < bounds.earliest.offset ? "below-log" : "beyond-log";
    emit(resetEvent({ topic, partition, policy: resetPolicy.name, reason, from, choice }));
  }
  await session?.flush({ signal });
}
