import { openOffsetSession, type RecordPosition } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";

const RECORDS = 100_000;
const PARTITIONS = [0, 1, 2, 3];

test("committing a delivered record allocates nothing, however many are in flight (contract 5.19)", async () => {
  await using session = await openOffsetSession({
    store: createMemoryStore(),
    consumer: "c1",
    topic: "orders",
    partitions: PARTITIONS,
    // No flush falls into the measurement.
    flushInterval: 2 ** 31 - 1,
    maxUnflushedAge: 2 ** 31 - 1,
  });
  const records = PARTITIONS.map((partition) =>
    Array.from({ length: RECORDS }, (_, index): RecordPosition => ({ partition, offset: BigInt(index) })),
  );
  for (const record of records.flat()) session.deliver(record);
  const grownBy = (some: readonly RecordPosition[]): number => {
    const before = process.memoryUsage().heapUsed;
    // By index: the iterator of an array makes an object for each element.
    for (let index = 0; index < some.length; index += 1) session.commit(some[index]);
    return process.memoryUsage().heapUsed - before;
  };
  // What is collected meanwhile makes a number smaller, compiling makes the first larger: the median of four is neither.
  const grown = records.map((some) => grownBy(some) / RECORDS).toSorted((a, b) => a - b);
  expect(PARTITIONS.map((partition) => session.position(partition))).toEqual(PARTITIONS.map(() => BigInt(RECORDS)));
  // One object, or one bigint, for each record would be 16 bytes at least.
  expect(grown[2]).toBeLessThan(16);
});
