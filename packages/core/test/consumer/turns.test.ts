import { createConsumer } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { expect, test } from "vitest";
import { eventually } from "../session/eventually.ts";
import { ordersLog } from "./orders.ts";

test.each(["loop", "batches"])(
  "synchronous bodies that grow heavy get a turn of the event loop each, in a %s (contract 5.10)",
  async (way) => {
    await using consumer = await createConsumer({
      ...{ source: await ordersLog(1_010, 1), topic: "orders", strategy: "none", untilEnd: true },
    });
    let turn = 0;
    let isOver = false;
    const count = (): void => {
      turn += 1;
      if (!isOver) setImmediate(count);
    };
    count();
    const heavy: number[] = [];
    const work = (offset: bigint): void => {
      if (offset < 1_000n) return;
      heavy.push(turn);
      const endsAt = performance.now() + 15;
      while (performance.now() < endsAt);
    };
    if (way === "loop") for await (const { offset } of consumer) work(offset);
    else for await (const { records } of consumer.batches({ maxRecords: 1 })) work(records[0]?.offset ?? 0n);
    isOver = true;
    expect(new Set(heavy).size).toBe(10);
  },
);

test("with slow bodies partitions take turns by time, not by all that a fetch brought (contract 5.8)", async () => {
  await using consumer = await createConsumer({
    ...{ source: await ordersLog(20, 2), topic: "orders", strategy: "none", untilEnd: true },
  });
  const turns: { readonly partition: number; count: number }[] = [];
  for await (const { partition } of consumer) {
    const last = turns.at(-1);
    if (last?.partition === partition) last.count += 1;
    else turns.push({ partition, count: 1 });
    const endsAt = performance.now() + 30;
    while (performance.now() < endsAt);
  }
  // 100 ms are four bodies at most. To the last turn there is no other.
  expect(Math.max(...turns.slice(0, -1).map(({ count }) => count))).toBeLessThanOrEqual(4);
  expect(turns.reduce((sum, { count }) => sum + count, 0)).toBe(40);
});

test("a partition that a commit has made room for has its turn, too, when another's is over (contract 5.22)", async () => {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions: 2 });
  const many = Array.from({ length: 2_000 }, () => ({ value: null }));
  await source.producer.produce("orders", 1, many);
  await using consumer = await createConsumer({
    ...{ source, store: createMemoryStore(), topic: "orders", consumer: "c1", start: "earliest", strategy: "manual" },
  });
  let last = 0n;
  let others = 0;
  for await (const record of consumer) {
    const { partition, offset } = record;
    if (partition === 1) {
      if (others > 0) break;
      last = offset;
      if (offset === 0n) await source.producer.produce("orders", 0, many);
      // Every other one, until what is between them is too much.
      else if (offset % 2n === 0n) consumer.acknowledge(record);
      continue;
    }
    others += 1;
    if (others > 1) continue;
    consumer.commit({ partition: 1, offset: last });
    const endsAt = performance.now() + 150;
    await eventually(() => performance.now() > endsAt);
  }
  expect(others).toBe(1);
});
