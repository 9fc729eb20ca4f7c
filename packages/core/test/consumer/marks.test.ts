import { createConsumer, type ConsumerEvent } from "@tidemark/core";
import { none } from "@tidemark/reset-policies";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, produce, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

test("a topic that was recreated and has grown past the position is noticed after a restart (contract 6.8)", async () => {
  const source = await ordersLog(10);
  const store = createMemoryStore();
  const events = new EventLog<ConsumerEvent>();
  {
    await using consumer = await createConsumer({ ...options, source, store, untilEnd: true });
    expect(await take(consumer, 100)).toHaveLength(10);
  }
  source.recreateTopic("orders");
  await produce(source, 30);
  await using consumer = await createConsumer({ ...options, source, store, onEvent: events.hear });
  expect(await take(consumer, 1)).toEqual([0n]);
  expect(events.of("reset")).toMatchObject([{ reason: "other-log", from: 10n, to: 0n, skipped: 0n }]);
  expect(await store.fetch([key])).toMatchObject([
    { record: { nextOffset: 0n, resetFrom: { nextOffset: 10n, reason: "other-log" } } },
  ]);
});

test("a position of another source, stored without a mark, is taken by any log (contract 6.8)", async () => {
  const source = await ordersLog(10);
  const store = createMemoryStore();
  await store.reset([{ key, nextOffset: 4n }]);
  source.recreateTopic("orders");
  await produce(source, 10);
  await using consumer = await createConsumer({ ...options, source, store });
  expect(await take(consumer, 1)).toEqual([4n]);
});

test("a log that was truncated below the position is read on from where it differs (contract 6.8)", async () => {
  const source = await ordersLog(10);
  const store = createMemoryStore();
  const events = new EventLog<ConsumerEvent>();
  {
    await using consumer = await createConsumer({ ...options, source, store, untilEnd: true });
    await take(consumer, 100);
  }
  source.changeLeader("orders", 0, 6n);
  await produce(source, 20);
  await using consumer = await createConsumer({
    ...options,
    ...{ source, store, resetPolicy: "earliest", onEvent: events.hear },
  });
  expect(await take(consumer, 2)).toEqual([6n, 7n]);
  expect(events.of("reset")).toMatchObject([{ reason: "truncated", from: 10n, to: 6n, skipped: 0n }]);
});

test("a policy that refuses decides of a truncated log too: the position stays (contract 6.8)", async () => {
  const source = await ordersLog(10);
  const store = createMemoryStore();
  {
    await using consumer = await createConsumer({ ...options, source, store, untilEnd: true });
    await take(consumer, 100);
  }
  source.changeLeader("orders", 0, 6n);
  await produce(source, 20);
  await using consumer = await createConsumer({ ...options, source, store, resetPolicy: none() });
  await expect(take(consumer, 1)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE", requested: 10n });
  expect(await storedOffset(store, key)).toBe(10n);
});

test.each(["none", "auto", "manual"] as const)(
  "%s: a topic that is recreated between two loops is noticed where no record was handed out yet, too (contract 6.8)",
  async (strategy) => {
    const source = await ordersLog(10, 2);
    const store = createMemoryStore();
    const events = new EventLog<ConsumerEvent>();
    await using consumer = await createConsumer({
      ...{ ...options, source, store, strategy, start: 5n, onEvent: events.hear },
    });
    // Both positions have no mark: nobody knows which log the record before them was of.
    for await (const { partition } of consumer) {
      await eventually(() => consumer.lag().size === 2);
      expect(partition).toBe(0);
      break;
    }
    source.recreateTopic("orders");
    await produce(source, 10, 1);
    for await (const { partition, offset } of consumer) {
      expect([partition, offset]).toEqual([1, 0n]);
      break;
    }
    expect(events.of("reset").filter(({ partition }) => partition === 1)).toMatchObject([
      { reason: "other-log", from: 5n, to: 0n },
    ]);
  },
);
