import { createConsumer, type ConsumerEvent, LogSourceError } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test, vi } from "vitest";
import { EventLog } from "../session/eventually.ts";
import { createFaultyStore, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, produce, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

test("a failure names its partition and is tried again; the others go on (contract 5.8)", async () => {
  const source = await ordersLog(3, 2);
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({ topic: "orders", source, onEvent: events.hear });
  source.failNextFetch(1, new LogSourceError("no leader", { code: "UNAVAILABLE", retryable: true }));
  expect(await take(consumer, 6)).toHaveLength(6);
  expect(events.of("fetch-failed")).toMatchObject([{ partition: 1, error: { code: "UNAVAILABLE" } }]);
});

test("a partition that cannot be read is heard of although another has always more to say (contract 5.8)", async () => {
  const source = await ordersLog(5_000, 2);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, maxBytes: 20 });
  source.failNextFetch(1, new Error("partition 1 is broken"));
  let seen = 0;
  const loop = async (): Promise<void> => {
    for await (const { partition } of consumer) seen += partition === 0 ? 1 : 0;
  };
  await expect(loop()).rejects.toThrow("partition 1 is broken");
  const flushed = await storedOffset(store, key);
  expect(flushed).toBe(consumer.position(0));
  expect(seen).toBeGreaterThan(0);
  expect(seen).toBeLessThan(100);
  expect(await take(consumer, 50)).toHaveLength(50);
});

test("a loop that ends with a partition's failure has flushed what is committed, like every other way to leave it (contract 5.2)", async () => {
  const source = await ordersLog(3);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store });
  const loop = async (): Promise<void> => {
    for await (const { offset } of consumer) {
      if (offset === 2n) source.failNextFetch(0, new Error("partition 0 is broken"));
    }
  };
  await expect(loop()).rejects.toThrow("partition 0 is broken");
  expect(await storedOffset(store, key)).toBe(3n);
});

test("over a gap: the position moves past what has no record, once all before it is committed: lag 0 (contract 5.9)", async () => {
  const source = await ordersLog(2);
  source.advanceTo("orders", 0, 10n);
  await produce(source, 1);
  source.advanceTo("orders", 0, 20n);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, untilEnd: true });
  expect(await take(consumer, 9)).toEqual([0n, 1n, 10n]);
  expect(await storedOffset(store, key)).toBe(20n);
  await using reader = await createConsumer({ topic: "orders", source, untilEnd: true });
  expect(await take(reader, 9)).toEqual([0n, 1n, 10n]);
  for (const each of [consumer, reader]) expect([each.position(0), each.lag().get(0)]).toEqual([20n, 0n]);
});

test("what is handed out and not committed keeps the position before the gap (contract 5.9)", async () => {
  const source = await ordersLog(2);
  source.advanceTo("orders", 0, 10n);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, strategy: "manual" });
  for await (const record of consumer) {
    if (record.offset === 0n) consumer.acknowledge(record);
    else break;
  }
  await consumer.flush();
  expect(await storedOffset(store, key)).toBe(1n);
  consumer.acknowledge({ partition: 0, offset: 1n });
  expect(consumer.position(0)).toBe(10n);
});

test("a partition added later is read from its beginning (contract 5.17)", async () => {
  const source = await ordersLog(1);
  const events = new EventLog<ConsumerEvent>();
  const store = createMemoryStore();
  await using consumer = await createConsumer({
    ...options,
    source,
    store,
    start: "latest",
    partitionRefreshInterval: 10,
    onEvent: events.hear,
  });
  const first = take(consumer, 2);
  await source.admin.alterTopic("orders", { partitions: 2 });
  await produce(source, 2, 1);
  expect(await first).toEqual([0n, 1n]);
  expect(events.of("partition-added")).toMatchObject([{ partition: 1 }]);
  expect(consumer.partitions).toEqual([0, 1]);
});

test.each(["the log", "the store"])(
  "takeover: an added partition that cannot be begun for now, because of %s, is read when it can be, from a position that is durable (contract 5.7, 5.17)",
  async (cause) => {
    const source = await ordersLog(1);
    const faulty = createFaultyStore();
    const events = new EventLog<ConsumerEvent>();
    const listOffsets = source.listOffsets.bind(source);
    await using consumer = await createConsumer({
      ...{ ...options, source, store: faulty.store, sharing: "takeover", onEvent: events.hear },
      ...{ partitionRefreshInterval: 10, flushInterval: 600_000, maxUnflushedAge: 3_600_000 },
    });
    const isDown = (): Promise<never> => Promise.reject(new Error("down"));
    if (cause === "the log") source.listOffsets = isDown;
    else faulty.commitFault = isDown;
    await source.admin.alterTopic("orders", { partitions: 2 });
    await produce(source, 1, 1);
    await events.first("refresh-failed");
    expect(consumer.partitions).toEqual([0]);
    source.listOffsets = listOffsets;
    faulty.commitFault = undefined;
    const stored: (bigint | undefined)[] = [];
    for await (const { partition } of consumer) {
      stored[partition] = await storedOffset(faulty.inner, { ...key, partition });
      if (partition === 1) break;
    }
    expect(stored).toEqual([0n, 0n]);
    expect(events.of("partition-added")).toMatchObject([{ partition: 1 }]);
  },
);

test("the partitions are looked up again every 60 seconds, unless told otherwise (contract 5.17)", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const source = await ordersLog(1);
    const events = new EventLog<ConsumerEvent>();
    await using consumer = await createConsumer({
      ...options,
      source,
      store: createMemoryStore(),
      onEvent: events.hear,
    });
    await source.admin.alterTopic("orders", { partitions: 2 });
    await vi.advanceTimersByTimeAsync(59_000);
    expect(consumer.partitions).toEqual([0]);
    await vi.advanceTimersByTimeAsync(2_000);
    await events.first("partition-added");
    expect(consumer.partitions).toEqual([0, 1]);
    await using some = await createConsumer({ topic: "orders", source, partitions: [0] });
    await vi.advanceTimersByTimeAsync(61_000);
    expect(some.partitions).toEqual([0]);
  } finally {
    vi.useRealTimers();
  }
});

test("onFenced continue: the partition that was taken is dropped, the loop goes on (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(1, 2);
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({
    ...options,
    source,
    store: faulty.store,
    sharing: "takeover",
    onFenced: "continue",
    renewInterval: 10,
    onEvent: events.hear,
  });
  const loop = take(consumer, 3);
  await faulty.inner.reset([{ key, nextOffset: 0n }]);
  await events.first("fenced");
  await produce(source, 1, 0);
  await produce(source, 1, 1);
  expect(await loop).toEqual([0n, 0n, 1n]);
  expect(consumer.partitions).toEqual([1]);
});
