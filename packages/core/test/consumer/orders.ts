import type { LogRecord } from "@tidemark/core";
import { createMemorySource, type MemorySource } from "@tidemark/test-support";

export const key = { consumer: "c1", topic: "orders", partition: 0 };

/** A log with some records in each partition. */
export async function ordersLog(count: number, partitions = 1): Promise<MemorySource> {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions });
  for (let partition = 0; partition < partitions; partition += 1) await produce(source, count, partition);
  return source;
}

export async function produce(source: MemorySource, count: number, partition = 0): Promise<void> {
  if (count === 0) return;
  const records = Array.from({ length: count }, (_, index) => ({ value: Buffer.from(String(index)) }));
  await source.producer.produce("orders", partition, records);
}

/** Takes some records, then leaves the loop; gives their offsets. */
export async function take(consumer: AsyncIterable<LogRecord>, count: number): Promise<bigint[]> {
  const offsets: bigint[] = [];
  for await (const { offset } of consumer) {
    offsets.push(offset);
    if (offsets.length === count) break;
  }
  return offsets;
}
