import { createConsumer, type LogRecord } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { key, ordersLog } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

test.each(["manual", "auto"] as const)(
  "%s: what an earlier process acknowledged out of order is not handed out again; the position passes it (contract 5.14)",
  async (strategy) => {
    const source = await ordersLog(10);
    const store = createMemoryStore();
    {
      await using consumer = await createConsumer({ ...options, source, store, strategy: "manual" });
      for await (const record of consumer) {
        if (record.offset !== 2n && record.offset !== 5n) consumer.acknowledge(record);
        if (record.offset === 9n) break;
      }
    }
    expect(await store.fetch([key])).toMatchObject([
      {
        record: {
          nextOffset: 2n,
          acknowledged: [
            { from: 3n, to: 5n },
            { from: 6n, to: 10n },
          ],
        },
      },
    ]);
    await using again = await createConsumer({ ...options, source, store, strategy, untilEnd: true });
    const seen: bigint[] = [];
    for await (const record of again) {
      seen.push(record.offset);
      if (strategy === "manual") again.commit(record);
    }
    expect(seen).toEqual([2n, 5n]);
    await again.flush();
    const [outcome] = await store.fetch([key]);
    expect(outcome).toMatchObject({ record: { nextOffset: 10n } });
    expect(outcome?.status === "found" && outcome.record.acknowledged).toBeUndefined();
  },
);

test("a partition with too much done beyond its position waits; the others go on, and so does it once the record is done (contract 5.14)", async () => {
  const source = await ordersLog(400, 2);
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), strategy: "manual", untilEnd: true, maxBytes: 2_000 },
  });
  const kept: LogRecord[] = [];
  let ofOther = 0;
  let whileWaiting = 0n;
  for await (const record of consumer) {
    if (record.partition === 1) {
      consumer.acknowledge(record);
      ofOther += 1;
      if (ofOther === 400) {
        whileWaiting = consumer.position(0) ?? -1n;
        for (const each of kept.splice(0)) consumer.acknowledge(each);
      }
    } else if (ofOther < 400 && record.offset % 2n === 0n) kept.push(record);
    else consumer.acknowledge(record);
  }
  expect(whileWaiting).toBe(0n);
  expect(ofOther).toBe(400);
  expect(consumer.position(0)).toBe(400n);
});
