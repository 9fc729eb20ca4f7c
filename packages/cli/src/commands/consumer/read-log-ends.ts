import type { LogSource } from "@tidemark/core";
import { OutOfPatienceError, withPatience } from "../../context/with-patience.ts";

/** So many topics are asked about at once. */
const AT_ONCE = 20;
/** How long the partitions of a topic are waited for together, before each is asked alone. */
const TOGETHER_MS = 2_000;

/** Why the ends of a topic are not known. */
export interface LogEndsFailure {
  readonly error: unknown;
  /** Whose ends are not known. Absent: of the whole topic. */
  readonly partitions?: readonly number[];
}

/** Where the partitions of topics end, and why that is not known of some. */
export interface ReadLogEnds {
  readonly ends: ReadonlyMap<string, ReadonlyMap<number, bigint>>;
  /** By topic. */
  readonly failures: ReadonlyMap<string, LogEndsFailure>;
}

/**
 * Asks a log where topics end: many at once, each with its own time, so that a slow one does not use up that of the others.
 * When it has been silent on as many in a row as are asked at once, the others are not asked.
 *
 * @throws the signal's reason if it is aborted.
 */
export async function readLogEnds(
  log: LogSource,
  topics: Iterable<string>,
  signal?: AbortSignal,
): Promise<ReadLogEnds> {
  const ends = new Map<string, ReadonlyMap<number, bigint>>();
  const failures = new Map<string, LogEndsFailure>();
  let silentInARow = 0;
  // Shared by the workers: each takes the next one.
  const waiting = [...topics].values();
  const work = async (): Promise<void> => {
    for (const topic of waiting) {
      signal?.throwIfAborted();
      try {
        if (silentInARow >= AT_ONCE) throw new OutOfPatienceError();
        const { known, failure } = await endsOf(log, topic, signal);
        ends.set(topic, known);
        if (failure !== undefined) failures.set(topic, failure);
        silentInARow = 0;
      } catch (error) {
        signal?.throwIfAborted();
        failures.set(topic, { error });
        silentInARow = error instanceof OutOfPatienceError ? silentInARow + 1 : 0;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { ends, failures };
}

interface EndsOfTopic {
  readonly known: ReadonlyMap<number, bigint>;
  readonly failure?: LogEndsFailure;
}

/** A partition without a leader keeps the others waiting if they are asked together: then each is asked alone. */
async function endsOf(log: LogSource, topic: string, signal: AbortSignal | undefined): Promise<EndsOfTopic> {
  const partitions = await withPatience((given) => log.partitions(topic, { signal: given }), { signal });
  const ask = async (asked: readonly number[], patienceMs?: number): Promise<Map<number, bigint>> =>
    await withPatience((given) => listEnds(log, topic, asked, given), { patienceMs, signal });
  if (partitions.length < 2) return { known: await ask(partitions) };
  try {
    return { known: await ask(partitions, TOGETHER_MS) };
  } catch (error) {
    signal?.throwIfAborted();
    const { LogSourceError } = await import("@tidemark/core");
    // What is refused for good is refused for each.
    if (error instanceof LogSourceError && !error.retryable) throw error;
  }
  const known = new Map<number, bigint>();
  const failures = new Map<number, unknown>();
  await Promise.all(
    partitions.map(async (partition) => {
      try {
        for (const [of, end] of await ask([partition])) known.set(of, end);
      } catch (error) {
        failures.set(partition, error);
      }
    }),
  );
  const [error] = failures.values();
  if (failures.size === partitions.length) throw error;
  return { known, ...(failures.size > 0 && { failure: { error, partitions: [...failures.keys()] } }) };
}

async function listEnds(
  log: LogSource,
  topic: string,
  partitions: readonly number[],
  signal: AbortSignal,
): Promise<Map<number, bigint>> {
  const { LATEST_TIMESTAMP } = await import("@tidemark/core");
  const entries = partitions.map((partition) => ({ partition, timestamp: LATEST_TIMESTAMP }));
  const ends = new Map<number, bigint>();
  for (const { partition, offset } of await log.listOffsets(topic, entries, { signal })) {
    if (offset !== undefined) ends.set(partition, offset);
  }
  return ends;
}
