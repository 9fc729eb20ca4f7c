import type { LogSource } from "@tidemark/core";
import { OutOfPatienceError, withPatience } from "../../context/with-patience.ts";

/** So many topics are asked about at once. */
const AT_ONCE = 20;
/** So many partitions of a topic are asked about at once, where each is asked alone. */
const ALONE_AT_ONCE = 50;
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
 * When it has not even named the partitions of as many in a row as are asked at once, the others are not asked.
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
  const partitionsOf = async (topic: string): Promise<readonly number[]> => {
    if (silentInARow >= AT_ONCE) throw new OutOfPatienceError();
    try {
      const partitions = await withPatience((given) => log.partitions(topic, { signal: given }), { signal });
      silentInARow = 0;
      return partitions;
    } catch (error) {
      silentInARow = error instanceof OutOfPatienceError ? silentInARow + 1 : 0;
      throw error;
    }
  };
  await eachAtOnce([...topics], AT_ONCE, async (topic) => {
    signal?.throwIfAborted();
    try {
      const { known, failure } = await endsOf(log, topic, await partitionsOf(topic), signal);
      ends.set(topic, known);
      if (failure !== undefined) failures.set(topic, failure);
    } catch (error) {
      failures.set(topic, { error });
    }
  });
  signal?.throwIfAborted();
  return { ends, failures };
}

interface EndsOfTopic {
  readonly known: ReadonlyMap<number, bigint>;
  readonly failure?: LogEndsFailure;
}

/** A partition without a leader keeps the others waiting that are asked with it: after a while each is asked alone, too. */
async function endsOf(
  log: LogSource,
  topic: string,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<EndsOfTopic> {
  const over = new AbortController();
  const ends = AbortSignal.any([over.signal, ...(signal === undefined ? [] : [signal])]);
  const ask = async (asked: readonly number[]): Promise<Map<number, bigint>> =>
    await withPatience((given) => listEnds(log, topic, asked, given), { signal: ends });
  try {
    const together = ask(partitions).then((known): EndsOfTopic => ({ known }));
    if (partitions.length < 2 || !(await isLate(together, ends))) return await together;
    const alone = askEach(partitions, async (partition) => await ask([partition]));
    return await Promise.any([together, alone]).catch(() => alone);
  } finally {
    over.abort();
  }
}

/** Whether there is no answer yet after a while, or one that is none of the log's. */
async function isLate(answer: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const { setTimeout: delay } = await import("node:timers/promises");
  try {
    return await Promise.race([answer.then(() => false), delay(TOGETHER_MS, true, { signal })]);
  } catch (error) {
    signal.throwIfAborted();
    const { LogSourceError } = await import("@tidemark/core");
    // What is refused for good is refused for each.
    return !(error instanceof LogSourceError) || error.retryable;
  }
}

/** @throws the failure of one if all fail. */
async function askEach(
  partitions: readonly number[],
  ask: (partition: number) => Promise<ReadonlyMap<number, bigint>>,
): Promise<EndsOfTopic> {
  const known = new Map<number, bigint>();
  const failures = new Map<number, unknown>();
  await eachAtOnce(partitions, ALONE_AT_ONCE, async (partition) => {
    try {
      for (const [of, end] of await ask(partition)) known.set(of, end);
    } catch (error) {
      failures.set(partition, error);
    }
  });
  const [error] = failures.values();
  if (failures.size === partitions.length) throw error;
  return {
    known,
    ...(failures.size > 0 && {
      failure: { error, partitions: [...failures.keys()].sort((one, other) => one - other) },
    }),
  };
}

/** Does something with each, so many at once. */
async function eachAtOnce<One>(all: readonly One[], atOnce: number, work: (one: One) => Promise<void>): Promise<void> {
  // Shared by the workers: each takes the next one.
  const waiting = all.values();
  const worker = async (): Promise<void> => {
    for (const one of waiting) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
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
