import type { LogSource } from "@tidemark/core";
import { withPatience } from "../../context/with-patience.ts";

/** So many topics are asked about at once. */
const AT_ONCE = 20;

/** Where the partitions of topics end, and why that is not known of some. */
export interface ReadLogEnds {
  readonly ends: ReadonlyMap<string, ReadonlyMap<number, bigint>>;
  /** By topic: why its ends are not known. */
  readonly failures: ReadonlyMap<string, unknown>;
}

/** Asks a log where topics end: many at once, each with its own time, so that a slow one does not use up that of the others. */
export async function readLogEnds(log: LogSource, topics: Iterable<string>): Promise<ReadLogEnds> {
  const ends = new Map<string, ReadonlyMap<number, bigint>>();
  const failures = new Map<string, unknown>();
  // Shared by the workers: each takes the next one.
  const waiting = [...topics].values();
  const work = async (): Promise<void> => {
    for (const topic of waiting) {
      try {
        ends.set(topic, await withPatience((signal) => endsOf(log, topic, signal)));
      } catch (error) {
        failures.set(topic, error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { ends, failures };
}

async function endsOf(log: LogSource, topic: string, signal: AbortSignal): Promise<ReadonlyMap<number, bigint>> {
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
