import type { LogSource } from "@tidemark/core";
import { withNearTopic } from "../near-topic.ts";

/** Which partitions the command line asks for. */
export interface PartitionWish {
  readonly partitions: readonly number[] | undefined;
  readonly all: boolean;
}

/**
 * The partitions to read: those named, all (`undefined`, so that those added later are read too), or else partition 0,
 * which is said if there are more.
 */
export async function choosePartitions(
  log: LogSource,
  topic: string,
  { partitions, all }: PartitionWish,
  say: (line: string) => void,
): Promise<readonly number[] | undefined> {
  const { requirePartitions } = await import("@tidemark/core/positions");
  const existing = await withNearTopic(log, () => log.partitions(topic));
  if (partitions !== undefined) {
    requirePartitions(topic, existing, partitions);
    return [...new Set(partitions)];
  }
  if (all) return undefined;
  requirePartitions(topic, existing, [0]);
  if (existing.length > 1) {
    say(
      `topic ${JSON.stringify(topic)} has ${existing.length} partitions: reading partition 0 only, --all reads every one`,
    );
  }
  return [0];
}
