import {
  createConsumer,
  type ConsumerEvent,
  OffsetOutOfRangeError,
  type OffsetResetPolicy,
  type OffsetStore,
} from "@tidemark/core";
import { lastOffset, none } from "@tidemark/reset-policies";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { createFaultyStore, loseAnswer, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, produce, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

async function storeAt(nextOffset: bigint, partitions = [0]): Promise<OffsetStore> {
  const store = createMemoryStore();
  await store.reset(partitions.map((partition) => ({ key: { ...key, partition }, nextOffset })));
  return store;
}

test("the stored position is what a policy gets on the first fetch; what is skipped is counted; it is durable before the next record (contract 6.1, 6.5)", async () => {
  const source = await ordersLog(10);
  source.deleteRecords("orders", 0, 6n);
  const store = await storeAt(2n);
  const events = new EventLog<ConsumerEvent>();
  const asked: bigint[] = [];
  const resetPolicy: OffsetResetPolicy = {
    name: "mine",
    timestamp: () => -2,
    adjustOffset: (last, next) => {
      asked.push(last);
      return next;
    },
  };
  const consumer = await createConsumer({ ...options, source, store, resetPolicy, onEvent: events.hear });
  for await (const { offset } of consumer) {
    expect(offset).toBe(6n);
    expect(await store.fetch([key])).toMatchObject([
      { record: { nextOffset: 6n, resetFrom: { nextOffset: 2n, reason: "below-log" } } },
    ]);
    break;
  }
  expect(asked).toEqual([2n]);
  expect(events.of("reset")).toMatchObject([{ reason: "below-log", from: 2n, to: 6n, skipped: 4n }]);
  await consumer.close();
  expect(await storedOffset(store, key)).toBe(6n);
});

test("lastOffset on a log whose records are all gone: the next one produced is the first delivered (contract 6.1)", async () => {
  const source = await ordersLog(5);
  source.deleteRecords("orders", 0, 5n);
  const store = await storeAt(2n);
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({
    ...options,
    source,
    store,
    resetPolicy: lastOffset(),
    onEvent: events.hear,
  });
  const first = take(consumer, 1);
  await events.first("reset");
  await produce(source, 1);
  expect(await first).toEqual([5n]);
});

test("a result outside of the log is asked again at most five times (contract 6.3)", async () => {
  let asked = 0;
  const source = await ordersLog(5);
  const resetPolicy: OffsetResetPolicy = {
    name: "mine",
    timestamp: () => -1,
    adjustOffset: (_last, next) => {
      asked += 1;
      return next + 10n;
    },
  };
  await using consumer = await createConsumer({ ...options, source, store: await storeAt(90n), resetPolicy });
  await expect(take(consumer, 1)).rejects.toThrow(OffsetOutOfRangeError);
  expect(asked).toBe(5);
});

test("a log that refuses what its own bounds allow is not asked for ever (contract 6.3)", async () => {
  const source = await ordersLog(5);
  let fetches = 0;
  const broken = {
    name: source.name,
    partitions: source.partitions.bind(source),
    listOffsets: source.listOffsets.bind(source),
    fetch: async () => {
      fetches += 1;
      throw new OffsetOutOfRangeError({ topic: "orders", partition: 0, requested: 0n });
    },
    close: source.close.bind(source),
    [Symbol.asyncDispose]: source.close.bind(source),
  };
  await using consumer = await createConsumer({ source: broken, topic: "orders" });
  await expect(take(consumer, 1)).rejects.toThrow(OffsetOutOfRangeError);
  expect(fetches).toBe(6);
});

test.each<[string, Partial<OffsetResetPolicy>, RegExp]>([
  [
    "throws",
    {
      timestamp: () => {
        throw new Error("not today");
      },
    },
    /not today/,
  ],
  ["gives a strange timestamp", { timestamp: () => Number.NaN }, /whole milliseconds/],
  ["gives a number as offset", { adjustOffset: () => 5 as unknown as bigint }, /bigint/],
  ["gives nothing as offset", { adjustOffset: () => undefined as unknown as bigint }, /bigint/],
])("a policy that %s ends the loop with an error that says so (contract 6.6)", async (_what, part, message) => {
  const source = await ordersLog(5);
  const resetPolicy = { name: "mine", timestamp: () => -2, ...part };
  await using consumer = await createConsumer({ ...options, source, store: await storeAt(90n), resetPolicy });
  await expect(take(consumer, 1)).rejects.toThrow(message);
});

test("partitions that fail together are looked up in one call; an answer that comes after the loop was left is dropped (contract 6.4)", async () => {
  const source = await ordersLog(3, 3);
  const store = await storeAt(90n, [0, 1, 2]);
  const events = new EventLog<ConsumerEvent>();
  const consumer = await createConsumer({ ...options, source, store, onEvent: events.hear });
  const lookups: number[] = [];
  const answer = Promise.withResolvers<void>();
  source.delayListOffsets((_topic, entries) => {
    lookups.push(new Set(entries.map(({ partition }) => partition)).size);
    return answer.promise;
  });
  const iterator = consumer[Symbol.asyncIterator]();
  const waiting = iterator.next();
  await eventually(() => lookups.length > 0);
  await iterator.return?.();
  answer.resolve();
  expect(await waiting).toMatchObject({ done: true });
  expect(lookups).toEqual([3]);
  expect(events.of("reset")).toEqual([]);
  expect(consumer.position(0)).toBe(90n);
  source.delayListOffsets(undefined);
  expect(await take(consumer, 3)).toHaveLength(3);
  await consumer.close();
});

test.each(["auto", "manual"] as const)(
  "%s: the record in hand while the log is made anew does not move the new position (contract 6.5)",
  async (strategy) => {
    const faulty = createFaultyStore();
    const events = new EventLog<ConsumerEvent>();
    const source = await ordersLog(10);
    const consumer = await createConsumer({ ...options, source, store: faulty.store, strategy, onEvent: events.hear });
    const seen: bigint[] = [];
    for await (const record of consumer) {
      seen.push(record.offset);
      if (seen.length === 10) {
        if (strategy === "manual") consumer.commit({ partition: 0, offset: 5n });
        // Applied, but the session does not hear of it: the rewind has to find the stored position out.
        faulty.commitFault = loseAnswer;
        await consumer.flush().catch(() => undefined);
        faulty.commitFault = undefined;
        source.recreateTopic("orders");
        await produce(source, 3);
        await events.first("reset");
        consumer.commit(record);
      } else if (strategy === "manual" && seen.length > 10) consumer.commit(record);
      if (seen.length === 12) break;
    }
    expect(seen.slice(10)).toEqual([0n, 1n]);
    const expected = strategy === "auto" ? 1n : 2n;
    expect(await storedOffset(faulty.inner, key)).toBe(expected);
    await consumer.close();
  },
);

test("none: the error carries what was asked for and what the log has; the other partitions go on (contract 5.8, 6.6)", async () => {
  // One record each: a turn of more ends after 100 ms, and a busy machine may stand still for longer.
  const source = await ordersLog(1, 2);
  const store = await storeAt(90n, [1]);
  await using consumer = await createConsumer({ ...options, source, store, start: "earliest", resetPolicy: none() });
  const seen: string[] = [];
  const loop = async (): Promise<void> => {
    for await (const { partition, offset } of consumer) seen.push(`${partition}/${offset}`);
  };
  await expect(loop()).rejects.toMatchObject({
    name: "OffsetOutOfRangeError",
    partition: 1,
    requested: 90n,
    latest: 1n,
  });
  expect(seen).toEqual(["0/0"]);
});

test("untilEnd ends on a log that was made anew and is shorter (contract 6.5)", async () => {
  const source = await ordersLog(10);
  await using consumer = await createConsumer({ topic: "orders", source, untilEnd: true, maxBytes: 1 });
  const seen: bigint[] = [];
  for await (const { offset } of consumer) {
    seen.push(offset);
    if (seen.length > 1) continue;
    source.recreateTopic("orders");
    source.failNextFetch(0, new OffsetOutOfRangeError({ topic: "orders", partition: 0, requested: 1n }));
    await produce(source, 2);
  }
  expect(seen.at(-1)).toBe(1n);
});
