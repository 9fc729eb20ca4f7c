import {
  EARLIEST_TIMESTAMP,
  LATEST_TIMESTAMP,
  type ListedOffset,
  type ListOffsetsEntry,
  type LogSource,
} from "../log-source.ts";
import { validateName } from "../driver/validation.ts";
import type { CallOptions } from "../offset-store.ts";

/** Looks up the bounds of partitions: all that choosing a position needs of a log. */
export interface OffsetLookup {
  readonly topic: string;
  /** As `LogSource.listOffsets`, of the one topic. */
  readonly listOffsets: (
    entries: readonly ListOffsetsEntry[],
    options: CallOptions,
  ) => Promise<readonly ListedOffset[]> | readonly ListedOffset[];
}

/** The bounds of a source's topic. */
export function logOf(source: LogSource, topic: string): OffsetLookup {
  return { topic, listOffsets: source.listOffsets.bind(source, topic) };
}

/** A place in a log. */
export interface LogPoint {
  readonly offset: bigint;
  /** The mark of a position there, in the log's own words. */
  readonly mark: string | undefined;
}

/** Where a partition's log begins and ends. */
export interface LogBounds {
  /** The first record that the log still has. */
  readonly earliest: LogPoint;
  /** The place after the last record. */
  readonly latest: LogPoint;
}

/** Looks up the bounds of several partitions in one call. */
export async function lookUpBounds(
  log: OffsetLookup,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Map<number, LogBounds>> {
  if (partitions.length === 0) return new Map();
  const entries = partitions.flatMap((partition): ListOffsetsEntry[] => [
    { partition, timestamp: EARLIEST_TIMESTAMP },
    { partition, timestamp: LATEST_TIMESTAMP },
  ]);
  const listed = await log.listOffsets(entries, { signal });
  return new Map(
    partitions.map((partition, index) => {
      const earliest = pointOf(listed[index * 2], partition);
      const latest = pointOf(listed[index * 2 + 1], partition);
      return [partition, { earliest, latest }];
    }),
  );
}

/** Looks up where partitions stand at times, in one call; a partition without a record that late stands at its end. */
export async function lookUpTimestamps(
  log: OffsetLookup,
  entries: readonly ListOffsetsEntry[],
  bounds: ReadonlyMap<number, LogBounds>,
  signal: AbortSignal | undefined,
): Promise<Map<number, LogPoint>> {
  const answers = new Map<number, LogPoint>();
  const unknown: ListOffsetsEntry[] = [];
  for (const { partition, timestamp } of entries) {
    const known = bounds.get(partition);
    if (known !== undefined && timestamp === EARLIEST_TIMESTAMP) answers.set(partition, known.earliest);
    else if (known !== undefined && timestamp === LATEST_TIMESTAMP) answers.set(partition, known.latest);
    else unknown.push({ partition, timestamp });
  }
  if (unknown.length === 0) return answers;
  const listed = await log.listOffsets(unknown, { signal });
  unknown.forEach(({ partition }, index) => {
    const answer = listed[index];
    const point = answer?.offset === undefined ? bounds.get(partition)?.latest : pointOf(answer, partition);
    if (point !== undefined) answers.set(partition, point);
  });
  return answers;
}

function pointOf(listed: ListedOffset | undefined, partition: number): LogPoint {
  if (typeof listed?.offset !== "bigint") {
    throw new TypeError(
      `listOffsets returned no bounds for partition ${partition}: an offset must be a bigint, not ${typeof listed?.offset}`,
    );
  }
  if (listed.mark !== undefined) validateName("mark", listed.mark);
  return { offset: listed.offset, mark: listed.mark };
}
