import type { LogSource, OffsetFilter, OffsetRecord } from "@tidemark/core";
import type { CommandContext } from "../../context/command-context.ts";
import { positionDocument, type PositionDocument } from "./position-document.ts";
import { comparePositions } from "./position-order.ts";

/** Positions found, and the error that named those that cannot be read. */
export interface FoundPositions {
  readonly positions: readonly PositionDocument[];
  /** What the store could not read; the rest is in `positions`. */
  readonly unreadable: Error | undefined;
}

/** How long the log may take to say where it ends: the list must come all the same. */
const LOG_PATIENCE_MS = 5000;

/** Lists positions in order, each with its lag where the log tells it. */
export async function findPositions(context: CommandContext, filter: OffsetFilter): Promise<FoundPositions> {
  await using store = await context.openStore();
  const records: OffsetRecord[] = [];
  let unreadable: Error | undefined;
  try {
    for await (const record of store.list(filter)) records.push(record);
  } catch (error) {
    // One record that cannot be read must not hide the others: they are shown, then it is named.
    if (records.length === 0 || !(error instanceof Error)) throw error;
    unreadable = error;
  }
  records.sort(comparePositions);
  const ends = await logEnds(context, new Set(records.map(({ topic }) => topic)));
  const positions = records.map((record) => {
    const end = ends.get(record.topic)?.get(record.partition);
    return positionDocument(
      record,
      end === undefined || record.nextOffset === undefined ? undefined : end - record.nextOffset,
    );
  });
  return { positions, unreadable };
}

type EndsByPartition = ReadonlyMap<number, bigint>;

/** Where each topic's partitions end; a topic that the log does not have, or a log that does not answer, is left out. */
async function logEnds(context: CommandContext, topics: ReadonlySet<string>): Promise<Map<string, EndsByPartition>> {
  const ends = new Map<string, EndsByPartition>();
  if (topics.size === 0) return ends;
  const signal = AbortSignal.timeout(LOG_PATIENCE_MS);
  const gaveUp = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined), { once: true }),
  );
  const opening = context.openLog().catch(() => undefined);
  const log = await Promise.race([opening, gaveUp]);
  if (log === undefined) return ends;
  try {
    for (const topic of topics) {
      const found = await Promise.race([endsOf(log, topic, signal).catch(() => undefined), gaveUp]);
      if (found !== undefined) ends.set(topic, found);
    }
  } finally {
    await log.close().catch(() => {});
  }
  return ends;
}

async function endsOf(log: LogSource, topic: string, signal: AbortSignal): Promise<EndsByPartition> {
  const { LATEST_TIMESTAMP } = await import("@tidemark/core");
  const partitions = await log.partitions(topic, { signal });
  const answers = await log.listOffsets(
    topic,
    partitions.map((partition) => ({ partition, timestamp: LATEST_TIMESTAMP })),
    { signal },
  );
  const ends = new Map<number, bigint>();
  for (const { partition, offset } of answers) if (offset !== undefined) ends.set(partition, offset);
  return ends;
}
