import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  createConsumer,
  type ConsumerEvent,
  type LogSource,
  LogSourceError,
  OffsetOutOfRangeError,
  type OffsetStore,
} from "@tidemark/core";
import { createOffsetStore } from "@tidemark/core/driver";
import { createMemoryStore } from "@tidemark/store-memory";
import type { MemorySource } from "@tidemark/test-support";
import { expect, test } from "vitest";
import { Rows } from "../conformance/sound-backend.ts";
import { SoundDriver } from "../conformance/sound-driver.ts";
import { EventLog, eventually } from "../session/eventually.ts";
import { storedOffset } from "../session/faulty-store.ts";
import { Group, LEASE_MS } from "./group.ts";
import { key, ordersLog, produce } from "./orders.ts";

// Faults that were found by reading the code, each with the program that shows it.

const options = { topic: "orders", consumer: "c1" };

/** The verbs of a log, of which a test replaces the one that it is about. */
function passing(source: MemorySource): LogSource {
  return {
    name: "memory",
    partitions: (topic, more) => source.partitions(topic, more),
    fetch: (request) => source.fetch(request),
    listOffsets: (topic, entries, more) => source.listOffsets(topic, entries, more),
    close: () => source.close(),
    [Symbol.asyncDispose]: () => source.close(),
  };
}

test("what waited for a handler when process() failed is not done, also if its partition goes to another before the next loop has begun (contract 5.26)", async () => {
  const source = await ordersLog(100, 2);
  await using group = new Group(source);
  const { backend, store } = group;
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore({ backend }), onEvent: events.hear },
    ...{ lease: LEASE_MS, untilEnd: true, start: "earliest" as const },
  });
  const failing = consumer.process(
    ({ offset }) => {
      if (offset === 10n) throw new Error("mine");
    },
    { concurrency: 1 },
  );
  await expect(failing).rejects.toThrow("mine");
  const looked = Promise.withResolvers<void>();
  source.delayListOffsets(() => looked.promise);
  const again = consumer.process(() => undefined);
  again.catch(() => undefined);
  // Another member that lives, and claims nothing: half of the partitions are its share.
  const other = { consumer: "c1", topic: "orders", member: "other" };
  await store.heartbeat({ key: other, mode: "balanced", lease: 60_000, owner: "other", held: 0 });
  const { partitions } = await events.first("revoked");
  const [partition = -1] = partitions;
  expect(await storedOffset(store, { ...key, partition })).toBeLessThanOrEqual(10n);
  source.delayListOffsets(undefined);
  looked.resolve();
});

test("what a group agreed on is renewed every third of the TTL, also where that is longer than a timer can be (contract 8.4)", async () => {
  const inner = createMemoryStore();
  let calls = 0;
  const store: OffsetStore = new Proxy(inner, {
    get(target, name) {
      if (name === "group") calls += 1;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  await using consumer = await createConsumer({
    ...{ ...options, source: await ordersLog(1), store },
    ttl: 90 * 24 * 60 * 60 * 1_000,
  });
  await delay(100);
  expect(consumer.isStalled).toBe(false);
  expect(calls).toBe(1);
});

test("auto: metadata goes to the partition in hand and to no other (contract 5.13)", async () => {
  const store = createMemoryStore();
  const source = await ordersLog(1, 2);
  const metadataOf = async (partition: number): Promise<string | undefined> => {
    const [outcome] = await store.fetch([{ ...key, partition }]);
    return outcome?.status === "found" ? outcome.record.metadata : undefined;
  };
  await using consumer = await createConsumer({ ...options, source, store, start: "earliest", untilEnd: true });
  const seen: number[] = [];
  for await (const record of consumer) {
    seen.push(record.partition);
    if (seen.length < 2) continue;
    consumer.commit(record, { metadata: "x" });
    break;
  }
  const [first = -1, second = -1] = seen;
  await consumer.flush();
  expect([await metadataOf(first), await metadataOf(second)]).toEqual(["", "x"]);
  consumer.commit(undefined, { metadata: "y" });
  await consumer.flush();
  expect([await metadataOf(first), await metadataOf(second)]).toEqual(["", "y"]);
});

test.each(["process", "for await"] as const)(
  "%s with transact passes over what the log has no records for at its end (contract 5.9, 5.27a)",
  async (way) => {
    const source = await ordersLog(3);
    // As the marker of a transaction in Kafka.
    source.advanceTo("orders", 0, 5n);
    const sound = new SoundDriver({ rows: new Rows(), capabilities: { transactions: true } });
    const store = createOffsetStore(sound);
    await using consumer = await createConsumer({
      ...{ ...options, source, store, start: "earliest", untilEnd: true, strategy: "manual" },
    });
    if (way === "process") await consumer.process((record) => consumer.transact(record, () => undefined));
    else for await (const record of consumer) await consumer.transact(record, () => undefined);
    expect(consumer.lag().get(0)).toBe(0n);
    expect(await storedOffset(store, key)).toBe(5n);
  },
);

test("a loop until the end passes over what the log has no records for before records that came later (contract 5.9, 8.9)", async () => {
  const source = await ordersLog(3);
  source.advanceTo("orders", 0, 5n);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, start: 0n, untilEnd: true });
  source.delayListOffsets(async () => {
    source.delayListOffsets(undefined);
    await produce(source, 2);
  });
  const offsets: bigint[] = [];
  for await (const { offset } of consumer) offsets.push(offset);
  expect(offsets).toEqual([0n, 1n, 2n]);
  expect(await storedOffset(store, key)).toBe(5n);
});

test("batches that wait for more: the position passes over what the log has no records for before records that came later (contract 5.9, 8.9)", async () => {
  const source = await ordersLog(3);
  source.advanceTo("orders", 0, 5n);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, start: 0n, untilEnd: true, maxBytes: 3 });
  source.delayListOffsets(async () => {
    source.delayListOffsets(undefined);
    await produce(source, 2);
  });
  const batches: string[] = [];
  for await (const { records, nextOffset } of consumer.batches({ maxRecords: 100, linger: 60_000 })) {
    batches.push(`${records.map(({ offset }) => offset).join(" ")} to ${nextOffset}`);
  }
  expect(batches).toEqual(["0 1 2 to 5"]);
  expect(await storedOffset(store, key)).toBe(5n);
});

test("a partition that was lost is not fetched again when the pause after a failed fetch is over (contract 5.22)", async () => {
  const inner = await ordersLog(1, 2);
  const fetched: number[] = [];
  const events = new EventLog<ConsumerEvent>();
  let isDueAt = 0;
  const onEvent = (event: ConsumerEvent): void => {
    events.hear(event);
    if (event.type === "fetch-failed") isDueAt = performance.now() + event.retryInMs;
  };
  const source: LogSource = {
    ...passing(inner),
    fetch: (request) => {
      fetched.push(request.partition);
      if (request.partition === 0) {
        const broken = { code: "UNAVAILABLE", retryable: true } as const;
        return Promise.reject(new LogSourceError("the broker is away", broken));
      }
      return inner.fetch(request);
    },
  };
  const store = createMemoryStore();
  await using consumer = await createConsumer({
    ...{ ...options, source, store, start: "earliest", sharing: "takeover", onFenced: "continue" },
    ...{ renewInterval: 20, maxWait: 20, onEvent },
  });
  const loop = (async () => {
    for await (const record of consumer) expect(record.partition).toBe(1);
  })();
  await events.first("fetch-failed");
  await store.claim([{ key, token: randomBytes(16).toString("hex"), owner: "other" }]);
  await events.first("fenced");
  const failures = events.of("fetch-failed").length;
  const before = fetched.length;
  await eventually(() => performance.now() > isDueAt);
  // The other is read as ever.
  const due = fetched.length;
  await eventually(() => fetched.length > due + 3);
  expect(fetched.slice(before)).not.toContain(0);
  expect(events.of("fetch-failed").length).toBe(failures);
  await consumer.close();
  await loop;
});

test("an abort in a handler ends process(), also before anything was waited for (contract 5.26)", async () => {
  const ended = new AbortController();
  await using consumer = await createConsumer({
    ...{ ...options, source: await ordersLog(1), store: createMemoryStore(), signal: ended.signal, start: "earliest" },
  });
  const processing = consumer.process(() => ended.abort(new Error("enough")));
  await expect(processing).rejects.toThrow("enough");
});

test("process() rejects with what ended its reading before it had begun (contract 5.16, 5.26)", async () => {
  const source = await ordersLog(10, 2);
  const store = createMemoryStore();
  const other = { consumer: "c1", topic: "orders", member: "other" };
  await store.heartbeat({ key: other, mode: "balanced", lease: 600_000, owner: "other", held: 0 });
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({
    ...{ ...options, source, store, start: 5n, resetPolicy: "none", untilEnd: true },
    ...{ lease: LEASE_MS, onEvent: events.hear },
  });
  const [read = -1] = consumer.partitions;
  source.deleteRecords("orders", 1 - read, 8n);
  const looked = Promise.withResolvers<void>();
  let lookups = 0;
  // The log is slow to say where it ends; where the other partition begins it says at once.
  source.delayListOffsets(async () => {
    lookups += 1;
    if (lookups === 1) await looked.promise;
  });
  const processing = consumer.process(() => undefined);
  processing.catch(() => undefined);
  await store.leave(other);
  await events.first("claim-failed");
  looked.resolve();
  await expect(processing).rejects.toBeInstanceOf(OffsetOutOfRangeError);
});

test("a log that names another log by a mark that is no name ends the loop with an error (contract 7.9)", async () => {
  const inner = await ordersLog(5);
  let isRecreated = false;
  const source: LogSource = {
    ...passing(inner),
    listOffsets: async (topic, entries, more) => {
      const answers = await inner.listOffsets(topic, entries, more);
      return isRecreated ? answers.map((listed) => ({ ...listed, mark: "x".repeat(300) })) : answers;
    },
  };
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store, start: 2n, resetPolicy: "earliest" });
  const loop = async (): Promise<void> => {
    for await (const { offset } of consumer) {
      // What is read next does not exist any more.
      if (offset === 4n) inner.recreateTopic("orders");
      isRecreated = offset === 4n;
    }
  };
  await expect(loop()).rejects.toThrow(/mark/u);
});
