import { createConsumer } from "@tidemark/core";
import { expect, test } from "vitest";
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
