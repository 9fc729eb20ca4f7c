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
