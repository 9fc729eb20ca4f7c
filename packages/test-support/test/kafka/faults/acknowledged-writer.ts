import { setTimeout as pause } from "node:timers/promises";
import { LogSourceError } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";

const RECORDS_PER_BATCH = 5;
// Some hundred records a second for each partition: enough for each fault to fall in the middle of something.
const PAUSE_MS = 10;

/** Writes numbered records to every partition of a topic, one batch after the other, until it is stopped. */
export interface AcknowledgedWriter {
  /** By partition: the value that was acknowledged for each offset. */
  readonly acknowledged: readonly ReadonlyMap<bigint, string>[];
  /** How many batches were refused or not answered: whether they are in the log is not known. */
  readonly unanswered: number;
  /** Rejects as soon as a batch fails for good; never resolves before {@link AcknowledgedWriter.stop}. */
  readonly writing: Promise<unknown>;
  /** Resolves when it wrote its last. Rejects if a batch failed for good. */
  stop(): Promise<void>;
}

/** Begins to write. What is not acknowledged is not repeated: the next numbers follow. */
export function startWriter(log: KafkaLog, topic: string, partitions: number): AcknowledgedWriter {
  const acknowledged = Array.from({ length: partitions }, () => new Map<bigint, string>());
  let unanswered = 0;
  let stopped = false;
  const writeTo = async (partition: number, values: Map<bigint, string>): Promise<void> => {
    for (let number = 0; !stopped; number += RECORDS_PER_BATCH) {
      const batch = Array.from({ length: RECORDS_PER_BATCH }, (_, index) => `${partition}/${number + index}`);
      try {
        const records = batch.map((value) => ({ value: Buffer.from(value) }));
        const first = await log.producer.produce(topic, partition, records);
        batch.forEach((value, index) => values.set(first + BigInt(index), value));
      } catch (error) {
        if (!(error instanceof LogSourceError) || !error.retryable) throw error;
        unanswered += 1;
      }
      await pause(PAUSE_MS);
    }
  };
  const writing = Promise.all(acknowledged.map((values, partition) => writeTo(partition, values)));
  // Whoever stops it hears of its failure.
  writing.catch(() => undefined);
  return {
    acknowledged,
    writing,
    get unanswered() {
      return unanswered;
    },
    async stop() {
      stopped = true;
      await writing;
    },
  };
}
