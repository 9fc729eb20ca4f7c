import { type Consumer, createConsumer, type RecordBatch } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { createFaultyStore, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, produce } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };
const shape = ({ partition, records, nextOffset }: RecordBatch) => [
  partition,
  records.map(({ offset }) => offset),
  nextOffset,
];

async function all(consumer: Consumer, maxRecords: number): Promise<unknown[]> {
  const batches: unknown[] = [];
  for await (const batch of consumer.batches({ maxRecords })) batches.push(shape(batch));
  return batches;
}

test("a batch has up to maxRecords records of one partition, in order; partitions take turns (contract 5.24)", async () => {
  const source = await ordersLog(5, 2);
  await using consumer = await createConsumer({ topic: "orders", source, untilEnd: true });
  expect(await all(consumer, 3)).toEqual([
    [0, [0n, 1n, 2n], 3n],
    [1, [0n, 1n, 2n], 3n],
    [0, [3n, 4n], 5n],
    [1, [3n, 4n], 5n],
  ]);
});

test("auto: asking for the next batch commits the previous one; a body that throws commits nothing of its batch (contract 5.24)", async () => {
  const source = await ordersLog(10);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store });
  const rows: bigint[] = [];
  const insert = async (): Promise<void> => {
    for await (const { records } of consumer.batches({ maxRecords: 4 })) {
      for (const { offset } of records) {
        if (offset === 6n) throw new Error("the insert failed");
        rows.push(offset);
      }
    }
  };
  await expect(insert()).rejects.toThrow("the insert failed");
  expect(await storedOffset(store, key)).toBe(4n);
  expect(consumer.position(0)).toBe(4n);
  // The next loop hands out the whole batch again.
  for await (const { records } of consumer.batches({ maxRecords: 4 })) {
    expect(records.map(({ offset }) => offset)).toEqual([4n, 5n, 6n, 7n]);
    break;
  }
  await consumer.flush();
  expect(await storedOffset(store, key)).toBe(4n);
});

test("manual: commit(batch) commits all of it, and past what has no record (contract 5.24)", async () => {
  const source = await ordersLog(4);
  source.advanceTo("orders", 0, 9n);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, strategy: "manual", untilEnd: true });
  const seen: unknown[] = [];
  for await (const batch of consumer.batches({ maxRecords: 2 })) {
    expect(consumer.position(0)).toBe(seen.length === 0 ? 0n : 2n);
    expect(batch.epoch).toBe(consumer.epoch(0));
    seen.push(shape(batch));
    consumer.commit(batch, { metadata: `rows of ${batch.nextOffset}` });
  }
  expect(seen).toEqual([
    [0, [0n, 1n], 2n],
    [0, [2n, 3n], 9n],
  ]);
  await consumer.flush();
  expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 9n, metadata: "rows of 9" } }]);
});

test("linger: a batch of fewer records waits for more, up to its time; a whole one waits for nothing (contract 5.24)", async () => {
  const source = await ordersLog(1);
  await using consumer = await createConsumer({ topic: "orders", source, maxBytes: 1 });
  const iterator = consumer.batches({ maxRecords: 3, linger: 600_000 })[Symbol.asyncIterator]();
  const first = iterator.next();
  await produce(source, 2);
  const { value } = await first;
  expect(value && shape(value)).toEqual([0, [0n, 1n, 2n], 3n]);
  await iterator.return?.();
  const soon = consumer.batches({ maxRecords: 3, linger: 20 })[Symbol.asyncIterator]();
  await produce(source, 1);
  const startedAt = performance.now();
  const second = (await soon.next()).value;
  expect(second && shape(second)).toEqual([0, [3n], 4n]);
  expect(performance.now() - startedAt).toBeGreaterThan(15);
  await soon.return?.();
});

test("linger: a batch that a reset of the position drops holds no room any more (contract 5.24)", async () => {
  const source = await ordersLog(2);
  const events: string[] = [];
  await using consumer = await createConsumer({
    ...{ topic: "orders", source, maxBufferedBytes: 2_000, maxWait: 20 },
    onEvent: ({ type }) => void events.push(type),
  });
  const iterator = consumer.batches({ maxRecords: 4, linger: 600_000 })[Symbol.asyncIterator]();
  const first = iterator.next();
  // Two wait; then the log is another one, and what they were is nothing to anybody.
  for (let round = 1; round <= 3; round += 1) {
    await expect.poll(() => consumer.lag().get(0)).toBe(2n);
    source.recreateTopic("orders");
    await expect.poll(() => events.filter((type) => type === "reset").length).toBe(round);
    await produce(source, 2);
  }
  await expect.poll(() => consumer.lag().get(0)).toBe(2n);
  await produce(source, 2);
  const { value } = await first;
  expect(value && shape(value)).toEqual([0, [0n, 1n, 2n, 3n], 4n]);
  await iterator.return?.();
});

test("linger: at the end of the log a batch is handed out at once, and what waits is not committed by another's (contract 5.24)", async () => {
  const source = await ordersLog(2, 2);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, strategy: "manual", untilEnd: true });
  const seen: unknown[] = [];
  for await (const batch of consumer.batches({ maxRecords: 10, linger: 600_000 })) {
    seen.push(shape(batch));
    consumer.commit();
    // Only what was handed out is delivered.
    if (seen.length === 1) expect(new Set([consumer.position(0), consumer.position(1)])).toEqual(new Set([0n, 2n]));
  }
  expect(seen).toHaveLength(2);
  expect(seen).toEqual(
    expect.arrayContaining([
      [0, [0n, 1n], 2n],
      [1, [0n, 1n], 2n],
    ]),
  );
});

test("what an earlier process acknowledged is left out of batches (contract 5.14)", async () => {
  const source = await ordersLog(6);
  const store = createMemoryStore();
  {
    await using consumer = await createConsumer({ ...options, source, store, strategy: "manual", untilEnd: true });
    for await (const record of consumer) if (record.offset > 1n && record.offset < 5n) consumer.acknowledge(record);
  }
  await using consumer = await createConsumer({ ...options, source, store, untilEnd: true });
  expect(await all(consumer, 10)).toEqual([[0, [0n, 1n, 5n], 6n]]);
  expect(await storedOffset(store, key)).toBe(6n);
});

test("a batch of before a partition was lost is not committed after it is claimed again (contract 5.14)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(3, 2);
  await using consumer = await createConsumer({
    ...{ ...options, source, store: faulty.store, strategy: "manual", flushInterval: 600_000 },
    ...{ sharing: "takeover", onFenced: "continue" },
  });
  for await (const batch of consumer.batches()) {
    if (batch.partition !== 0) continue;
    await faulty.inner.reset([{ key, nextOffset: 0n }]);
    consumer.commit(batch);
    await consumer.flush();
    expect(consumer.partitions).toEqual([1]);
    consumer.commit(batch);
    await expect(consumer.commitWithin({} as never, batch)).rejects.toMatchObject({ code: "NOT_HELD" });
    break;
  }
  expect(await storedOffset(faulty.inner, key)).toBe(0n);
});

test("one way of reading at a time; bounds that make no sense are refused (contract 5.18, 5.24)", async () => {
  const source = await ordersLog(3);
  await using consumer = await createConsumer({ topic: "orders", source });
  for await (const _ of consumer.batches()) {
    expect(() => consumer[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: "ALREADY_READING" }));
    const second = consumer.batches();
    expect(() => second[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: "ALREADY_READING" }));
    break;
  }
  expect(() => consumer.batches({ maxRecords: 0 })).toThrow(RangeError);
  expect(() => consumer.batches({ linger: -1 })).toThrow(RangeError);
  expect(() => consumer.batches({ size: 5 } as never)).toThrow(/size/u);
});

test("lag: offsets from the committed position to the log's end, as of its last answer (contract 5.25)", async () => {
  const source = await ordersLog(10, 2);
  await using consumer = await createConsumer({ ...options, source, store: createMemoryStore(), strategy: "manual" });
  expect(consumer.lag()).toEqual(new Map());
  for await (const batch of consumer.batches({ maxRecords: 4 })) {
    consumer.commit(batch);
    if (batch.partition === 0) break;
  }
  expect(consumer.lag().get(0)).toBe(6n);
  source.advanceTo("orders", 1, 12n);
  let count = 0;
  for await (const batch of consumer.batches()) {
    consumer.commit(batch);
    count += batch.records.length;
    if (count === 16) break;
  }
  expect(consumer.lag()).toEqual(
    new Map([
      [0, 0n],
      [1, 0n],
    ]),
  );
});
