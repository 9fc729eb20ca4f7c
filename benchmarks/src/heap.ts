import {
  EARLIEST_TIMESTAMP,
  type LogRecord,
  type LogSource,
  createConsumer,
  type ProcessOptions,
} from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import type { Comparison } from "./paired.ts";

const RECORDS = 1_000_000;
const SAMPLES = 10;
const CONCURRENCY = 64;
/** One record in a thousand takes as long as this: others are done long before it, and are kept as ranges. */
const SLOW_MS = 20;

/**
 * The heap, after garbage is collected, while a million records go through `process()`: printed as a table of its own,
 * as there is nothing to hold it against but itself at another time.
 */
export async function measureHeap(): Promise<Comparison[]> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("run with --expose-gc");
  const rows: Record<string, Record<string, number>> = {};
  for (const order of ["partition", "key", "none"] as const) {
    const samples: number[] = [];
    const startedAt = performance.now();
    await processAll(order, () => {
      collect();
      samples.push(process.memoryUsage().heapUsed / 2 ** 20);
    });
    const seconds = (performance.now() - startedAt) / 1_000;
    rows[`process(), order ${order}, ${CONCURRENCY} at once`] = {
      ...Object.fromEntries(samples.map((mib, index) => [`${index + 1}00,000`, Number(mib.toFixed(1))])),
      "records a second": Math.round(RECORDS / seconds),
      "RSS, MiB": Math.round(process.memoryUsage().rss / 2 ** 20),
    };
  }
  console.log(`heap in MiB after garbage collection, while ${RECORDS.toLocaleString("en")} records are worked on`);
  console.table(rows);
  return [];
}

async function processAll(order: ProcessOptions["order"], sample: () => void): Promise<void> {
  const consumer = await createConsumer({
    ...{ source: endless(), store: createMemoryStore(), topic: "benchmark", consumer: "benchmark", untilEnd: true },
  });
  let done = 0;
  await consumer.process(
    ({ offset }) => {
      done += 1;
      if (done % (RECORDS / SAMPLES) === 0) sample();
      return offset % 1_000n === 0n ? new Promise<void>((resolve) => setTimeout(resolve, SLOW_MS)) : Promise.resolve();
    },
    { concurrency: CONCURRENCY, order },
  );
  await consumer.close();
  if (done !== RECORDS) throw new Error(`worked on ${done} of ${RECORDS} records`);
}

/** A log of a million records in 8 partitions that keeps none: it makes them when they are fetched. */
function endless(): LogSource {
  const partitions = [0, 1, 2, 3, 4, 5, 6, 7];
  const end = BigInt(RECORDS / partitions.length);
  const recordAt = (topic: string, partition: number, offset: bigint): LogRecord => {
    const key = Buffer.from(`key ${offset % 100n}`);
    return { topic, partition, offset, timestampMs: 0, key, value: Buffer.alloc(100), headers: [] };
  };
  return {
    name: "endless",
    partitions: async () => partitions,
    fetch: async ({ topic, partition, offset, maxBytes }) => {
      const left = end - offset;
      const count = Math.min(Number(left), Math.max(1, Math.floor(maxBytes / 100)), 1_000);
      const records = Array.from({ length: count }, (_, index) => recordAt(topic, partition, offset + BigInt(index)));
      return { records, nextOffset: offset + BigInt(count), highWatermark: end };
    },
    listOffsets: async (_topic, entries) =>
      entries.map(({ partition, timestamp }) => ({ partition, offset: timestamp === EARLIEST_TIMESTAMP ? 0n : end })),
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
