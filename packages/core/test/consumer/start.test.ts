import { createConsumer, type ConsumerEvent, type ConsumerOptions, type OffsetResetPolicy } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { EventLog } from "../session/eventually.ts";
import { createFaultyStore, fail, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, produce, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

async function log() {
  const source = await ordersLog(0);
  const records = Array.from({ length: 10 }, (_, index) => ({ value: null, timestampMs: 1_000 * index }));
  await source.producer.produce("orders", 0, records);
  source.deleteRecords("orders", 0, 2n);
  return source;
}

test.each<[unknown, bigint]>([
  [undefined, 2n],
  ["earliest", 2n],
  ["latest", 10n],
  [5n, 5n],
  [10n, 10n],
  [0n, 2n],
  [11n, 2n],
  [new Date(6_500), 7n],
  [new Date(-1), 2n],
  [new Date(99_000), 10n],
  [{ fromBeginning: 3 }, 5n],
  [{ fromBeginning: 99 }, 10n],
  [{ fromEnd: 3 }, 7n],
  [{ fromEnd: 99 }, 2n],
  [{ fromEnd: 0 }, 10n],
  [{ name: "mine", timestamp: () => -1, adjustOffset: () => 4n }, 4n],
])("start %s is resolved and durable before the first record (contract 5.7, 5.16)", async (start, expected) => {
  const store = createMemoryStore();
  const source = await log();
  const asked = { ...options, source, store, start } as ConsumerOptions;
  await using consumer = await createConsumer(asked);
  expect(consumer.position(0)).toBe(expected);
  expect(await storedOffset(store, key)).toBe(expected);
  await produce(source, 1);
  expect(await take(consumer, 1)).toEqual([expected]);
});

test("a stored position comes first; who began at the end and restarts skips nothing (contract 5.7)", async () => {
  const store = createMemoryStore();
  const source = await log();
  const first = await createConsumer({ ...options, source, store, start: "latest" });
  await first.close();
  await produce(source, 3);
  await using second = await createConsumer({ ...options, source, store, start: "latest" });
  expect(await take(second, 3)).toEqual([10n, 11n, 12n]);
});

test("a store that cannot answer is not one without a position (contract 5.7)", async () => {
  const faulty = createFaultyStore();
  const source = await log();
  faulty.claimFault = fail;
  await expect(createConsumer({ ...options, source, store: faulty.store })).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
  faulty.claimFault = undefined;
  faulty.commitFault = fail;
  await expect(createConsumer({ ...options, source, store: faulty.store })).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
  faulty.fetchFault = fail;
  const reading = createConsumer({ ...options, source, store: faulty.store, strategy: "none" });
  await expect(reading).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("a policy as start gets -1, one for an absolute start outside gets -1 too (contract 5.16, 6.1)", async () => {
  const asked: unknown[] = [];
  const policy: OffsetResetPolicy = {
    name: "mine",
    timestamp: ({ reason, requested, lastOffsetFetched }) => {
      asked.push([reason, requested, lastOffsetFetched]);
      return -2;
    },
    adjustOffset: (last, next) => {
      asked.push([last, next]);
      return next;
    },
  };
  const source = await log();
  const events = new EventLog<ConsumerEvent>();
  await (await createConsumer({ ...options, source, store: createMemoryStore(), resetPolicy: policy })).close();
  const outside = {
    ...options,
    source,
    store: createMemoryStore(),
    resetPolicy: policy,
    start: 50n,
    onEvent: events.hear,
  };
  await (await createConsumer(outside)).close();
  expect(asked).toEqual([
    ["start", -1n, -1n],
    [-1n, 2n],
    ["beyond-log", 50n, -1n],
    [-1n, 2n],
  ]);
  expect(events.of("reset")).toMatchObject([{ from: 50n, to: 2n, reason: "beyond-log" }]);
});

test("a start that one partition lacks is stored for none (contract 5.7)", async () => {
  const store = createMemoryStore();
  const source = await ordersLog(3, 2);
  const policy: OffsetResetPolicy = { name: "mine", timestamp: ({ partition }) => (partition === 0 ? -2 : Number.NaN) };
  await expect(createConsumer({ ...options, source, store, start: policy })).rejects.toThrow(
    /failed on topic "orders" partition/,
  );
  expect(await storedOffset(store, key)).toBeUndefined();
});
