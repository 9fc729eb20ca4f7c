import { type FetchRequest, type ListOffsetsEntry, type LogSource, OffsetOutOfRangeError } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";

/** What a test does between the lookup and its answer: it may wait, or change the log. */
export type LookupHook = (entries: readonly ListOffsetsEntry[], lookup: number) => Promise<void> | void;

/** A log on Kafka whose calls are seen. */
export interface ObservedLog {
  readonly source: LogSource;
  /** The partitions of each ListOffsets call, ascending. */
  readonly lookups: number[][];
  /** Every fetch. */
  readonly fetches: FetchRequest[];
  /** The offsets of the fetches that the log refused. */
  readonly refused: bigint[];
  /** Milliseconds between the first and the last of these refusals. */
  readonly refusedWithinMs: () => number;
}

/** Looks on at a log. */
export function observe(log: KafkaLog, hook?: LookupHook): ObservedLog {
  const lookups: number[][] = [];
  const fetches: FetchRequest[] = [];
  const refused: bigint[] = [];
  const refusedAt: number[] = [];
  return {
    lookups,
    fetches,
    refused,
    refusedWithinMs: () => (refusedAt.at(-1) ?? 0) - (refusedAt[0] ?? 0),
    source: {
      ...log,
      async listOffsets(topic, entries, options) {
        lookups.push([...new Set(entries.map(({ partition }) => partition))].toSorted((a, b) => a - b));
        const lookup = lookups.length;
        const answer = await log.listOffsets(topic, entries, options);
        await hook?.(entries, lookup);
        return answer;
      },
      async fetch(request) {
        fetches.push(request);
        try {
          return await log.fetch(request);
        } catch (error) {
          if (error instanceof OffsetOutOfRangeError) {
            refused.push(request.offset);
            refusedAt.push(performance.now());
          }
          throw error;
        }
      },
    },
  };
}
