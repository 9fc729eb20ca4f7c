import {
  EARLIEST_TIMESTAMP,
  LATEST_TIMESTAMP,
  type ListedOffset,
  type ListOffsetsEntry,
  type LogSource,
} from "../log-source.ts";
import type { CallOptions } from "../offset-store.ts";

/** Where a partition's log begins and ends. */
export interface LogBounds {
  /** The first offset that the log still has. */
  readonly earliest: bigint;
  /** The offset after the last record. */
  readonly latest: bigint;
}

/** Looks up the bounds of several partitions in one call. */
export async function lookUpBounds(
  source: LogSource,
  topic: string,
  partitions: readonly number[],
  options: CallOptions,
): Promise<Map<number, LogBounds>> {
  const entries = partitions.flatMap((partition): ListOffsetsEntry[] => [
    { partition, timestamp: EARLIEST_TIMESTAMP },
    { partition, timestamp: LATEST_TIMESTAMP },
  ]);
  const listed = await source.listOffsets(topic, entries, options);
  return new Map(
    partitions.map((partition, index) => {
      const earliest = offsetOf(listed[index * 2], partition);
      const latest = offsetOf(listed[index * 2 + 1], partition);
      return [partition, { earliest, latest }];
    }),
  );
}

/** Looks up where partitions stand at times, in one call; a partition without a record that late stands at its end. */
export async function lookUpTimestamps(
  source: LogSource,
  topic: string,
  entries: readonly ListOffsetsEntry[],
  bounds: ReadonlyMap<number, LogBounds>,
  options: CallOptions,
): Promise<Map<number, bigint>> {
  const answers = new Map<number, bigint>();
  const unknown: ListOffsetsEntry[] = [];
  for (const entry of entries) {
    const known = bounds.get(entry.partition);
    if (known !== undefined && entry.timestamp === EARLIEST_TIMESTAMP) answers.set(entry.partition, known.earliest);
    else if (known !== undefined && entry.timestamp === LATEST_TIMESTAMP) answers.set(entry.partition, known.latest);
    else unknown.push(entry);
  }
  if (unknown.length === 0) return answers;
  const listed = await source.listOffsets(topic, unknown, options);
  unknown.forEach(({ partition }, index) => {
    const offset = listed[index]?.offset ?? bounds.get(partition)?.latest;
    if (offset !== undefined) answers.set(partition, offset);
  });
  return answers;
}

function offsetOf(listed: ListedOffset | undefined, partition: number): bigint {
  if (listed?.offset === undefined) {
    throw new TypeError(`the log source gave no bounds for partition ${partition}`);
  }
  return listed.offset;
}
