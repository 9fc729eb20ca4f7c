import { setTimeout as delay } from "node:timers/promises";
import { type Consumer, createConsumer, type ConsumerEvent } from "@tidemark/core";
import { describe, expect, test } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { createFaultyStore, fail, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

test("a throw in the body does not commit the record in hand, and hides a failed flush, which is an event (contract 5.1, 5.2)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<ConsumerEvent>();
  const source = await ordersLog(5);
  const consumer = await createConsumer({ ...options, source, store: faulty.store, onEvent: events.hear });
  faulty.commitFault = fail;
  const loop = async (): Promise<void> => {
    for await (const record of consumer) if (record.offset === 2n) throw new Error("mine");
  };
  await expect(loop()).rejects.toThrow("mine");
  expect(events.of("flush-failed").length).toBeGreaterThan(0);
  await expect(take(consumer, 1)).rejects.toMatchObject({ name: "OffsetStoreError" });
  faulty.commitFault = undefined;
  await consumer.close();
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
});

test("return from the body does not commit the last record either; commit() after the loop does (contract 5.1, 5.2)", async () => {
  const faulty = createFaultyStore();
  const consumer = await createConsumer({ ...options, source: await ordersLog(5), store: faulty.store });
  const first = async (): Promise<bigint | undefined> => {
    for await (const record of consumer) if (record.offset === 1n) return record.offset;
    return undefined;
  };
  expect(await first()).toBe(1n);
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
  consumer.commit();
  await consumer.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
  expect(await take(consumer, 2)).toEqual([2n, 3n]);
  await consumer.close();
});

test("positions are flushed by time while the body never lets anybody else run (contract 5.3)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(60_000);
  await using consumer = await createConsumer({ ...options, source, store: faulty.store, flushInterval: 5 });
  const before = faulty.commits.length;
  let seen = 0;
  for await (const { offset } of consumer) {
    const busyUntil = performance.now() + 0.005;
    while (performance.now() < busyUntil);
    seen += 1;
    if (offset === 59_999n) break;
  }
  expect(seen).toBe(60_000);
  expect(faulty.commits.length - before).toBeGreaterThan(5);
});

test("flushInterval 0: each record comes when the position before it is durable (contract 5.11)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(5);
  await using consumer = await createConsumer({ ...options, source, store: faulty.store, flushInterval: 0 });
  for await (const { offset } of consumer) {
    expect(await storedOffset(faulty.inner, key)).toBe(offset);
    if (offset === 2n) faulty.commitFault = (entries, apply) => (faulty.commits.length < 7 ? fail() : apply(entries));
    if (offset === 4n) break;
  }
  expect(faulty.inFlight.most).toBe(1);
});

test("close() during a loop ends what waits, writes what is committed, and ends everything (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  const consumer = await createConsumer({ ...options, source: await ordersLog(2), store: faulty.store });
  const iterator = consumer[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.next();
  const waiting = [iterator.next(), iterator.next()];
  await consumer.close();
  for (const next of waiting) expect(await next).toEqual({ done: true, value: undefined });
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
  expect(() => consumer.commit()).toThrow(/closed/);
  expect(() => consumer[Symbol.asyncIterator]()).toThrow(/closed/);
});

test("calls of next() that come while one waits are answered in order (contract 5.10)", async () => {
  const source = await ordersLog(0);
  await using consumer = await createConsumer({ topic: "orders", source });
  const iterator = consumer[Symbol.asyncIterator]();
  const waiting = [iterator.next(), iterator.next(), iterator.next()];
  await source.producer.produce("orders", 0, [{ value: null }, { value: null }, { value: null }]);
  const offsets = (await Promise.all(waiting)).map(({ value }) => value?.offset);
  expect(offsets).toEqual([0n, 1n, 2n]);
});

test("a stall waits in next(), is an event, and ends by recovery (contract 5.6)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<ConsumerEvent>();
  const source = await ordersLog(100_000);
  await using consumer = await createConsumer({
    ...options,
    source,
    store: faulty.store,
    flushInterval: 5,
    maxUnflushedAge: 60,
    onEvent: events.hear,
  });
  faulty.commitFault = fail;
  let last = -1n;
  let recovered = false;
  const loop = (async () => {
    for await (const { offset } of consumer) {
      last = offset;
      if (recovered) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await events.first("stalled");
  await eventually(() => last > 0n);
  const at = last;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(last - at).toBeLessThanOrEqual(1n);
  recovered = true;
  faulty.commitFault = undefined;
  await loop;
  expect(events.of("recovered")).toHaveLength(1);
});

test("fenced: the loop that waits for a record rejects with it (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(1);
  const takeover = { ...options, sharing: "takeover" } as const;
  const consumer = await createConsumer({ ...takeover, source, store: faulty.store, renewInterval: 20 });
  const loop = take(consumer, 2);
  await faulty.inner.reset([{ key, nextOffset: 0n }]);
  await expect(loop).rejects.toMatchObject({ name: "OffsetFencedError", reason: "reset", key });
  await consumer.close();
});

/** Applied, but not before others have had their turn. */
async function slowly<Entry, Outcome>(
  entries: readonly Entry[],
  apply: (some?: readonly Entry[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  await delay(20);
  return apply(entries);
}

/** The ways of reading two records, which do not end by themselves. */
const readings: Record<string, (consumer: Consumer, seen: (count: number) => void) => Promise<void>> = {
  async "for await"(consumer, seen) {
    let count = 0;
    for await (const record of consumer) seen((count += record.offset >= 0n ? 1 : 0));
  },
  async batches(consumer, seen) {
    for await (const { records } of consumer.batches({ maxRecords: 1 }))
      seen(records.length + Number(records[0]?.offset));
  },
  async process(consumer, seen) {
    let count = 0;
    await consumer.process(() => seen((count += 1)));
  },
};

describe.each(Object.entries(readings))("%s that close() ends (contract 5.2, 5.26)", (way, read) => {
  const stored = way === "process" ? 2n : 1n;

  test("ends when what is committed is stored: a program may exit after it (contract 5.2, 5.26)", async () => {
    const faulty = createFaultyStore();
    faulty.commitFault = slowly;
    const consumer = await createConsumer({ ...options, source: await ordersLog(2), store: faulty.store });
    let closing: Promise<void> | undefined;
    await read(consumer, (count) => {
      if (count === 2) closing = consumer.close();
    });
    expect(await storedOffset(faulty.inner, key)).toBe(stored);
    await closing;
  });

  test("rejects if that cannot be stored (contract 5.2, 5.26)", async () => {
    const faulty = createFaultyStore();
    const consumer = await createConsumer({ ...options, source: await ordersLog(2), store: faulty.store });
    faulty.commitFault = fail;
    let closing: Promise<void> | undefined;
    const reading = read(consumer, (count) => {
      if (count === 2) closing = consumer.close();
    });
    await expect(reading).rejects.toMatchObject({ name: "OffsetStoreError", code: "UNAVAILABLE" });
    await expect(closing).rejects.toMatchObject({ name: "OffsetStoreError", code: "UNAVAILABLE" });
  });

  test("rejects with that alone where the consumer is disposed, too (contract 3.19d)", async () => {
    const faulty = createFaultyStore();
    const source = await ordersLog(2);
    const program = async (): Promise<void> => {
      await using consumer = await createConsumer({ ...options, source, store: faulty.store });
      faulty.commitFault = fail;
      await read(consumer, (count) => {
        if (count === 2) consumer.close().catch(() => undefined);
      });
    };
    await expect(program()).rejects.toMatchObject({ name: "OffsetStoreError", code: "UNAVAILABLE" });
  });

  test("does not wait for it once the caller aborts (contract 5.26)", async () => {
    const faulty = createFaultyStore();
    const abort = new AbortController();
    const release = Promise.withResolvers<void>();
    const source = await ordersLog(2);
    const consumer = await createConsumer({ ...options, source, store: faulty.store, signal: abort.signal });
    faulty.commitFault = async (entries, apply) => {
      abort.abort(new Error("enough"));
      await release.promise;
      return apply(entries);
    };
    let closing: Promise<void> | undefined;
    const reading = read(consumer, (count) => {
      if (count === 2) closing = consumer.close();
    });
    await expect(reading).rejects.toThrow("enough");
    release.resolve();
    await closing;
  });
});

test("a loop of a consumer that has closed well ends well, also after an abort (contract 5.2)", async () => {
  const abort = new AbortController();
  const store = createFaultyStore().store;
  const consumer = await createConsumer({ ...options, source: await ordersLog(2), store, signal: abort.signal });
  for await (const record of consumer) {
    expect(record.offset).toBe(0n);
    await consumer.close();
    abort.abort(new Error("late"));
  }
});

test("process() whose handler fails while close() waits for it rejects with that, when what is done is stored (contract 5.26)", async () => {
  const faulty = createFaultyStore();
  faulty.commitFault = slowly;
  const consumer = await createConsumer({ ...options, source: await ordersLog(2), store: faulty.store });
  let closing: Promise<void> | undefined;
  const processing = consumer.process(({ offset }) => {
    if (offset === 0n) return;
    closing = consumer.close();
    throw new Error("mine");
  });
  await expect(processing).rejects.toThrow("mine");
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
  await closing;
});
