import { createConsumer, type ConsumerEvent, type LogRecord } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource, type MemorySource } from "@tidemark/test-support";
import { expect, test } from "vitest";
import { createFaultyStore } from "../session/faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };

async function orders(count: number, partitions = 1): Promise<MemorySource> {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions });
  for (let partition = 0; partition < partitions; partition += 1) {
    await source.producer.produce(
      "orders",
      partition,
      Array.from({ length: count }, (_, index) => ({ value: Buffer.from(`${partition}/${index}`) })),
    );
  }
  return source;
}

async function take(consumer: AsyncIterable<LogRecord>, count: number): Promise<string[]> {
  const values: string[] = [];
  for await (const record of consumer) {
    values.push(Buffer.from(record.value ?? []).toString());
    if (values.length === count) break;
  }
  return values;
}

test("auto: asking for the next record commits the previous one, leaving the loop does not commit the last (contract 5.1)", async () => {
  const source = await orders(5);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ source, store, topic: "orders", consumer: "c1" });
  expect(await take(consumer, 3)).toEqual(["0/0", "0/1", "0/2"]);
  expect(await store.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 2n } }]);
  expect(await take(consumer, 2)).toEqual(["0/2", "0/3"]);
});

test("auto: the end of the stream commits the last record (contract 5.1)", async () => {
  const source = await orders(5, 2);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ source, store, topic: "orders", consumer: "c1", untilEnd: true });
  expect((await take(consumer, 100)).toSorted()).toHaveLength(10);
  expect(consumer.position(0)).toBe(5n);
  expect(await store.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 5n } }]);
});

test("manual: commit and flush still work after the loop (contract 5.2)", async () => {
  const source = await orders(5);
  const store = createMemoryStore();
  const consumer = await createConsumer({ source, store, topic: "orders", consumer: "c1", strategy: "manual" });
  await take(consumer, 3);
  expect(consumer.position(0)).toBe(0n);
  consumer.commit();
  await consumer.flush();
  expect(await store.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 3n } }]);
  await consumer.close();
});

test("none: reads what is stored and writes nothing; a second loop goes on after the last record handed out (contract 5.20)", async () => {
  const source = await orders(5);
  const store = createMemoryStore();
  await store.reset([{ key, nextOffset: 1n }]);
  await using consumer = await createConsumer({ source, store, topic: "orders", consumer: "c1", strategy: "none" });
  expect(await take(consumer, 2)).toEqual(["0/1", "0/2"]);
  expect(await take(consumer, 2)).toEqual(["0/3", "0/4"]);
  expect(() => consumer.commit()).toThrow(/commits/);
  expect(await store.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 1n } }]);
});

test("none: a record that a session has done beyond the position is read too, whichever way it is read (contract 5.20)", async () => {
  const source = await orders(6);
  const store = createMemoryStore();
  const options = { source, store, topic: "orders", consumer: "c1", untilEnd: true } as const;
  {
    await using consumer = await createConsumer({ ...options, strategy: "manual" });
    for await (const record of consumer) if (record.offset >= 2n && record.offset < 4n) consumer.acknowledge(record);
  }
  expect(await store.fetch([key])).toMatchObject([
    { record: { nextOffset: 0n, acknowledged: [{ from: 2n, to: 4n }] } },
  ]);
  const open = () => createConsumer({ ...options, strategy: "none" });
  await using looping = await open();
  await using batching = await open();
  await using processing = await open();
  const seen: bigint[][] = [[], [], []];
  for await (const { offset } of looping) seen[0]?.push(offset);
  for await (const { records } of batching.batches()) for (const { offset } of records) seen[1]?.push(offset);
  await processing.process(({ offset }) => void seen[2]?.push(offset));
  const all = [0n, 1n, 2n, 3n, 4n, 5n];
  expect(seen).toEqual([all, all, all]);
});

test("a topic made again shorter: the position goes back once and then forward again, counted by an event (contract 6.5)", async () => {
  const source = await orders(10);
  const store = createMemoryStore();
  const events: ConsumerEvent[] = [];
  const options = {
    source,
    store,
    topic: "orders",
    consumer: "c1",
    onEvent: (event: ConsumerEvent) => events.push(event),
  };
  {
    await using consumer = await createConsumer({ ...options, untilEnd: true });
    await take(consumer, 100);
  }
  source.recreateTopic("orders");
  await source.producer.produce("orders", 0, [{ value: Buffer.from("new") }, { value: Buffer.from("newer") }]);
  await using consumer = await createConsumer({ ...options, untilEnd: true });
  expect(await take(consumer, 100)).toEqual(["new", "newer"]);
  expect(events.filter(({ type }) => type === "reset")).toEqual([
    {
      type: "reset",
      topic: "orders",
      partition: 0,
      policy: "earliest",
      reason: "other-log",
      from: 10n,
      to: 0n,
      skipped: 0n,
      earliest: 0n,
      latest: 2n,
    },
  ]);
  expect(await store.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 2n } }]);
});

test("flushInterval 0: a transaction that was rolled back without a word does not keep the next record waiting (contract 5.11)", async () => {
  const source = await orders(1, 2);
  const faulty = createFaultyStore();
  const options = { source, store: faulty.store, topic: "orders", consumer: "c1", untilEnd: true, flushInterval: 0 };
  await using consumer = await createConsumer({ ...options, strategy: "manual" });
  let seen = 0;
  for await (const record of consumer) {
    seen += 1;
    consumer.commit(record);
    faulty.commitFault = (entries) => Promise.resolve(entries.map(() => ({ status: "committed" })));
    await consumer.commitWithin({} as never, record);
    faulty.commitFault = undefined;
  }
  expect(seen).toBe(2);
});
