import { createConsumer, type LogSource, OffsetOutOfRangeError, OffsetStoreError } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { createFaultyStore, hang, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, produce, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

test("a start by time on a log that grows while it is looked up begins at that time, and is durable (contract 5.7)", async () => {
  const source = await ordersLog(0);
  const record = (timestampMs: number) => ({ value: null, timestampMs });
  await source.producer.produce("orders", 0, [record(1_000), record(1_001)]);
  let lookUps = 0;
  source.delayListOffsets(async () => {
    lookUps += 1;
    // After the bounds: late records of others, and the first one that is new enough.
    if (lookUps === 1) await source.producer.produce("orders", 0, [record(1_500), record(1_501), record(5_000)]);
  });
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, start: new Date(5_000) });
  expect(await storedOffset(store, key)).toBe(4n);
  expect(await take(consumer, 1)).toEqual([4n]);
});

test("timers, flushes and aborts get their turn between records that each take long (contract 5.10)", async () => {
  const source = await ordersLog(200);
  const controller = new AbortController();
  await using consumer = await createConsumer({
    ...options,
    source,
    store: createMemoryStore(),
    signal: controller.signal,
  });
  let handled = 0;
  const timer = setTimeout(() => controller.abort("stop"), 30);
  await expect(async () => {
    for await (const _ of consumer) {
      handled += 1;
      const until = performance.now() + 20;
      while (performance.now() < until);
    }
  }).rejects.toBe("stop");
  clearTimeout(timer);
  // The clock is read after the first record: from then on each such record has a turn of its own.
  expect(handled).toBeLessThan(20);
});

test("a position that the caller moves after OffsetOutOfRangeError is where the next loop begins (contract 5.8)", async () => {
  const source = await ordersLog(20);
  source.deleteRecords("orders", 0, 10n);
  const store = createMemoryStore();
  await store.reset([{ key, nextOffset: 3n }]);
  await using consumer = await createConsumer({ ...options, source, store, resetPolicy: "none", strategy: "manual" });
  const refused = await take(consumer, 1).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(OffsetOutOfRangeError);
  consumer.commit({ partition: 0, offset: 9n });
  await consumer.flush();
  expect(await take(consumer, 2)).toEqual([10n, 11n]);
});

test("an abort ends the wait of a loop that is being left for a store that does not answer (contract 5.2)", async () => {
  const source = await ordersLog(5);
  const faulty = createFaultyStore();
  const controller = new AbortController();
  const consumer = await createConsumer({ ...options, source, store: faulty.store, signal: controller.signal });
  const asked = Promise.withResolvers<void>();
  faulty.commitFault = () => {
    asked.resolve();
    return hang();
  };
  const left = take(consumer, 3);
  await asked.promise;
  controller.abort(new Error("stop"));
  await expect(left).rejects.toThrow("stop");
});

test("a store that refuses one partition for good ends the loop with that error, and the others had their turn (contract 5.8)", async () => {
  const source = await ordersLog(50, 2);
  const faulty = createFaultyStore();
  await using consumer = await createConsumer({ ...options, source, store: faulty.store, flushInterval: 1 });
  const denied = (keys: readonly (typeof key)[]) =>
    new OffsetStoreError("no", { code: "PERMISSION_DENIED", operation: "commit", store: "faulty", keys });
  faulty.commitFault = async (entries, apply) => {
    const answers = await apply(entries.filter((entry) => entry.key.partition === 0));
    return entries.map((entry) =>
      entry.key.partition === 0 ? (answers[0] as never) : { status: "failed", error: denied([entry.key]) },
    );
  };
  const seen = new Map<number, number>();
  await expect(async () => {
    for await (const { partition } of consumer) {
      seen.set(partition, (seen.get(partition) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }).rejects.toMatchObject({ code: "PERMISSION_DENIED", keys: [{ partition: 1 }] });
  expect(seen.get(0)).toBeGreaterThan(0);
  faulty.commitFault = undefined;
});

test("a store that its owner has closed ends the loop with CLOSED (contract 5.8)", async () => {
  const source = await ordersLog(50);
  const store = createMemoryStore();
  const consumer = await createConsumer({ ...options, source, store, flushInterval: 1 });
  await expect(async () => {
    for await (const { offset } of consumer) {
      if (offset === 3n) await store.close();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }).rejects.toMatchObject({ code: "CLOSED" });
  await expect(consumer.close()).rejects.toMatchObject({ code: "CLOSED" });
});

test("a log's malformed answer ends the loop with an error (contract 5.8)", async () => {
  const good = await ordersLog(5);
  const source: LogSource = {
    name: "bad",
    partitions: (topic) => good.partitions(topic),
    listOffsets: (topic, entries) => good.listOffsets(topic, entries),
    fetch: async () => undefined as never,
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  await using consumer = await createConsumer({ topic: "orders", source });
  await expect(take(consumer, 1)).rejects.toThrow(TypeError);
  await produce(good, 1);
});
