import {
  createConsumer,
  type ConsumerEvent,
  LogSourceError,
  type OffsetSessionEvent,
  openOffsetSession,
} from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource, type MemorySource } from "@tidemark/test-support";
import { expect, test, vi } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { createFaultyStore, storedOffset } from "../session/faulty-store.ts";

// Rules that a one-line change of the session or the consumer broke without any test hearing of it.

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { topic: "orders", consumer: "c1" };

async function orders(count: number, partitions = 1): Promise<MemorySource> {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions });
  const records = Array.from({ length: count }, () => ({ value: Buffer.from("x") }));
  for (let partition = 0; partition < partitions; partition += 1) {
    if (count > 0) await source.producer.produce("orders", partition, records);
  }
  return source;
}

test("a partition that was lost under onFenced continue is not claimed back by looking for new ones (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<ConsumerEvent>();
  const source = await orders(1, 2);
  let lookups = 0;
  const lookUp = source.partitions.bind(source);
  source.partitions = (topic) => {
    lookups += 1;
    return lookUp(topic);
  };
  const consumer = await createConsumer({
    ...{ ...options, source, store: faulty.store, sharing: "takeover", onFenced: "continue" },
    ...{ partitionRefreshInterval: 5, renewInterval: 5, onEvent: events.hear },
  });
  await faulty.inner.reset([{ key, nextOffset: 0n }]);
  await events.first("fenced");
  const seen = lookups;
  await eventually(() => lookups > seen + 2);
  expect(consumer.partitions).toEqual([1]);
  expect(await faulty.inner.fetch([key])).not.toMatchObject([{ record: { owner: expect.anything() as unknown } }]);
  await consumer.close();
});

test("what is committed during a flush is flushed by time, though nothing else happens (contract 5.3)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, partitions: [0], flushInterval: 5 });
  const gate = Promise.withResolvers<void>();
  faulty.commitFault = async (_entries, apply) => {
    await gate.promise;
    return apply();
  };
  session.commit({ partition: 0, offset: 0n });
  await eventually(() => faulty.inFlight.now === 1);
  session.commit({ partition: 0, offset: 8n });
  faulty.commitFault = undefined;
  gate.resolve();
  await eventually(async () => (await storedOffset(faulty.inner, key)) === 9n);
});

test("a commit does not undo the TTL that an operator gave (contract 3.5f)", async () => {
  const store = createMemoryStore();
  await using session = await openOffsetSession({ ...options, store, partitions: [0], ttl: 60_000 });
  session.commit({ partition: 0, offset: 0n });
  await session.flush();
  await store.expire([{ key, ttl: 600_000 }]);
  session.commit({ partition: 0, offset: 1n });
  await session.flush();
  expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 2n, ttl: 600_000 } }]);
});

test("a topic that is gone ends the loop after some attempts; it is not asked for again and again (contract 5.8)", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const source = await orders(1);
    const events = new EventLog<ConsumerEvent>();
    await using consumer = await createConsumer({
      ...options,
      source,
      store: createMemoryStore(),
      onEvent: events.hear,
    });
    const failure = (async () => {
      for await (const _ of consumer) await source.admin.deleteTopic("orders");
    })().catch((error: unknown) => error);
    for (let second = 0; second < 60; second += 1) await vi.advanceTimersByTimeAsync(1_000);
    expect(await failure).toBeInstanceOf(LogSourceError);
    expect(await failure).toMatchObject({ code: "UNKNOWN_TOPIC" });
    expect(events.of("fetch-failed")).toHaveLength(5);
  } finally {
    vi.useRealTimers();
  }
});

test("partitions take turns, a batch each, however many records one of them has (contract 5.8)", async () => {
  const source = await orders(60, 3);
  await using consumer = await createConsumer({ topic: "orders", source, maxBytes: 10, untilEnd: true });
  const turns: number[] = [];
  for await (const { partition } of consumer) if (turns.at(-1) !== partition) turns.push(partition);
  // As long as all three have something, each comes once in any three turns.
  expect(turns.length).toBeGreaterThan(9);
  for (let index = 0; index + 3 <= 9; index += 3) expect(new Set(turns.slice(index, index + 3)).size).toBe(3);
});

test("a reset happens once: what follows is committed as any position, by this consumer and the next (contract 6.5)", async () => {
  const source = await orders(10);
  source.deleteRecords("orders", 0, 6n);
  const faulty = createFaultyStore();
  await faulty.inner.reset([{ key, nextOffset: 2n }]);
  const events = new EventLog<ConsumerEvent>();
  const read = async (): Promise<void> => {
    await using consumer = await createConsumer({
      ...{ ...options, source, store: faulty.store, untilEnd: true, flushInterval: 0, onEvent: events.hear },
    });
    for await (const _ of consumer) continue;
  };
  await read();
  await read();
  expect(events.of("reset")).toHaveLength(1);
  const positions = faulty.commits.flat().filter(({ nextOffset }) => nextOffset !== undefined);
  expect(positions.map(({ nextOffset, rewind }) => [nextOffset, rewind])).toEqual([
    [6n, true],
    [7n, undefined],
    [8n, undefined],
    [9n, undefined],
    [10n, undefined],
  ]);
});

test("losing the last partition ends the session, also under onFenced continue (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const session = await openOffsetSession({
    ...{ ...options, store: faulty.store, partitions: [0, 1], onEvent: events.hear },
    ...{ sharing: "takeover", onFenced: "continue" },
  });
  for (const partition of [0, 1]) {
    await faulty.inner.reset([{ key: { ...key, partition }, nextOffset: 0n }]);
    session.commit({ partition, offset: 3n });
    await session.flush().catch(() => undefined);
  }
  expect(events.of("fenced")).toHaveLength(2);
  expect(session.fenced).toMatchObject({ reason: "reset", key: { partition: 1 } });
  expect(() => session.commit({ partition: 1, offset: 4n })).toThrow(/reset by an operator/u);
});
