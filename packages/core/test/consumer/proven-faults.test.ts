import { setTimeout as pause } from "node:timers/promises";
import {
  createConsumer,
  type ConsumerEvent,
  type LogSource,
  OffsetStoreError,
  openOffsetSession,
} from "@tidemark/core";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { createFaultyStore, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, produce } from "./orders.ts";

// Faults that a review proved, each with the program that showed it.

const options = { topic: "orders", consumer: "c1" };
const denied = new OffsetStoreError("no", {
  code: "PERMISSION_DENIED",
  operation: "commit",
  store: "faulty",
  keys: [],
});
const deny = (): Promise<never> => Promise.reject(denied);

test("commit() during and after process() counts no record that waits for a handler (contract 5.26)", async () => {
  const store = createMemoryStore();
  const consumer = await createConsumer({ ...options, source: await ordersLog(50), store });
  let refused: unknown;
  const processing = consumer.process(
    ({ offset }) => {
      if (offset === 3n) {
        try {
          consumer.commit();
        } catch (error) {
          refused = error;
        }
      }
      if (offset === 5n) throw new Error("boom");
    },
    { concurrency: 1 },
  );
  await expect(processing).rejects.toThrow("boom");
  expect(refused).toMatchObject({ code: "ALREADY_READING" });
  consumer.commit();
  await consumer.close();
  expect(await storedOffset(store, key)).toBe(5n);
});

test("none: what waits for a handler, or for its batch, is not behind the consumer (contract 5.20)", async () => {
  const source = await ordersLog(50);
  await using consumer = await createConsumer({ topic: "orders", source, untilEnd: true });
  const fail = (): never => {
    throw new Error("boom");
  };
  await expect(consumer.process(({ offset }) => offset === 5n && fail(), { concurrency: 1 })).rejects.toThrow("boom");
  expect(consumer.position(0)).toBe(5n);
  const seen: bigint[] = [];
  await consumer.process(({ offset }) => seen.push(offset));
  expect(seen[0]).toBe(5n);
  expect(seen).toHaveLength(45);
});

test("commitWithin of a record that nobody was given is a RangeError before anything is written (contract 5.15)", async () => {
  const faulty = createFaultyStore();
  await using consumer = await createConsumer({
    ...options,
    source: await ordersLog(3),
    store: faulty.store,
    strategy: "manual",
  });
  const sent = faulty.commits.length;
  for await (const _ of consumer) {
    await expect(consumer.commitWithin({} as never, { partition: 0, offset: 40n })).rejects.toThrow(RangeError);
    break;
  }
  expect(faulty.commits).toHaveLength(sent);
});

test("flushInterval 0: a store that refuses for good ends the loop, and one refused partition does not block the others (contract 5.8)", async () => {
  const faulty = createFaultyStore();
  const consumer = await createConsumer({
    ...options,
    source: await ordersLog(5),
    store: faulty.store,
    flushInterval: 0,
  });
  faulty.commitFault = deny;
  const loop = async (): Promise<void> => {
    for await (const _ of consumer) continue;
  };
  await expect(loop()).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  await consumer.close().catch(() => undefined);
});

test("a stalled session recovers when only what is refused for good is left (contract 5.6, 5.8)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<ConsumerEvent>();
  const consumer = await createConsumer({
    ...{ ...options, source: await ordersLog(50, 2), store: faulty.store, flushInterval: 1, maxUnflushedAge: 30 },
    onEvent: events.hear,
  });
  faulty.commitFault = () => Promise.reject(new Error("down"));
  const failure = (async () => {
    for await (const _ of consumer) await pause(2);
  })().catch((error: unknown) => error);
  await events.first("stalled");
  faulty.commitFault = async (entries, apply) => {
    const outcomes = [...(await apply(entries.filter((entry) => entry.key.partition !== 0)))];
    return entries.map((entry) =>
      entry.key.partition === 0
        ? { status: "failed", error: denied }
        : (outcomes.shift() ?? { status: "failed", error: denied }),
    );
  };
  expect(await failure).toMatchObject({ code: "PERMISSION_DENIED" });
  await consumer.close().catch(() => undefined);
});

test("a partition that waits for acknowledgements goes on after commit(record) too (contract 5.14)", async () => {
  const source = await ordersLog(400);
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), strategy: "manual", untilEnd: true },
  });
  let last = { partition: 0, offset: -1n };
  const iterator = consumer[Symbol.asyncIterator]();
  let seen = 0;
  for (let next = iterator.next(); ; next = iterator.next()) {
    // The first record may take longer than that, on a busy machine.
    const result = await Promise.race([next, ...(seen === 0 ? [] : [pause(200, "waits" as const)])]);
    if (result === "waits") {
      consumer.commit(last);
      const { value } = await next;
      expect(value?.offset).toBe(last.offset + 1n);
      break;
    }
    if (result.done === true) throw new Error("it never waited");
    seen += 1;
    last = result.value;
    if (seen % 2 === 0) consumer.acknowledge(last);
  }
  await iterator.return?.();
});

test("a partition that is added while a loop begins is read by it; one that cannot be claimed keeps no other (contract 5.17)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(1);
  const gate = Promise.withResolvers<void>();
  let looking = false;
  const lookUp = source.partitions.bind(source);
  source.partitions = async (topic) => {
    const found = await lookUp(topic);
    if (found.length > 1) {
      looking = true;
      await gate.promise;
    }
    return found;
  };
  await using consumer = await createConsumer({ ...options, source, store: faulty.store, partitionRefreshInterval: 5 });
  await source.admin.alterTopic("orders", { partitions: 3 });
  await produce(source, 1, 1);
  faulty.claimFault = async (entries, apply) => {
    const outcomes = [...(await apply())];
    return entries.map((entry, index) =>
      entry.key.partition === 2
        ? { status: "failed", error: new Error("not now") }
        : (outcomes[index] ?? { status: "failed", error: new Error("none") }),
    );
  };
  await eventually(() => looking);
  const seen: number[] = [];
  for await (const { partition } of consumer) {
    seen.push(partition);
    gate.resolve();
    if (seen.length === 2) break;
  }
  expect(seen).toEqual([0, 1]);
});

test("an abort waits for no handler, also at the end, and while the ends are looked up (contract 5.26)", async () => {
  const abort = new AbortController();
  const source = await ordersLog(1);
  const consumer = await createConsumer({ topic: "orders", source, untilEnd: true, signal: abort.signal });
  const processing = consumer.process(() => new Promise(() => undefined));
  await pause(20);
  abort.abort("enough");
  await expect(processing).rejects.toBe("enough");
  const early = new AbortController();
  const second = await createConsumer({ topic: "orders", source, untilEnd: true, signal: early.signal });
  source.delayListOffsets(() => early.abort("too early"));
  await expect(second.process(() => undefined)).rejects.toBe("too early");
});

test("a source that throws instead of rejecting fails its partition, not the process (contract 5.8)", async () => {
  const source = await ordersLog(1);
  const fetch = source.fetch.bind(source);
  let calls = 0;
  source.fetch = (request) => {
    calls += 1;
    if (calls > 1) throw new Error("thrown at once");
    return fetch(request);
  };
  await using consumer = await createConsumer({ topic: "orders", source });
  const loop = async (): Promise<void> => {
    for await (const _ of consumer) continue;
  };
  await expect(loop()).rejects.toThrow("thrown at once");
});

test("a log's answer that makes no sense is an error that names it (contract 5.8)", async () => {
  for (const answer of [{}, { records: [], highWatermark: 1n }, { records: [], nextOffset: 5, highWatermark: 1n }]) {
    const source = await ordersLog(1);
    source.fetch = (() => Promise.resolve(answer)) as unknown as LogSource["fetch"];
    await using consumer = await createConsumer({ topic: "orders", source });
    await expect(
      (async () => {
        for await (const _ of consumer) continue;
      })(),
    ).rejects.toThrow(/the log source (?:must return|returned)/u);
  }
});

test("a second reading does not begin before process() has flushed (contract 5.26)", async () => {
  const faulty = createFaultyStore();
  await using consumer = await createConsumer({
    ...options,
    source: await ordersLog(3),
    store: faulty.store,
    untilEnd: true,
  });
  const gate = Promise.withResolvers<void>();
  faulty.commitFault = async (_entries, apply) => {
    await gate.promise;
    return apply();
  };
  const first = consumer.process(() => undefined);
  await eventually(() => faulty.inFlight.now === 1);
  await expect(consumer.process(() => undefined)).rejects.toMatchObject({ code: "ALREADY_READING" });
  gate.resolve();
  await first;
});

test("queued records of a log that is gone run under no new epoch: they are dropped (contract 6.5)", async () => {
  const source = await ordersLog(20);
  const store = createMemoryStore();
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({ ...options, source, store, onEvent: events.hear });
  const epochs = new Set<number>();
  const former = consumer.epoch(0);
  let after = 0;
  const processing = consumer.process(
    async ({ offset }, { epoch }) => {
      epochs.add(epoch);
      if (epoch !== former) {
        after += 1;
        if (after === 3) void consumer.close();
        return;
      }
      if (offset !== 0n) return;
      source.recreateTopic("orders");
      await produce(source, 3);
      await events.first("reset");
      await eventually(() => consumer.epoch(0) !== former);
    },
    { concurrency: 1 },
  );
  await processing;
  expect(epochs.size).toBe(2);
  expect(after).toBe(3);
});

test.each(["none", "auto"] as const)(
  "%s: nor are they begun before the reset is durable, or where nobody stores it (contract 5.26)",
  async (strategy) => {
    const source = await ordersLog(20);
    const faulty = createFaultyStore();
    const isMoved = Promise.withResolvers<void>();
    const onEvent = ({ type }: ConsumerEvent): void => (type === "reset" ? isMoved.resolve() : undefined);
    await using consumer = await createConsumer({
      ...{ ...options, source, store: faulty.store, strategy, onEvent, flushInterval: 600_000 },
    });
    const isReset = Promise.withResolvers<void>();
    if (strategy === "auto") {
      faulty.commitFault = async (entries, apply) => {
        if (entries.some(({ rewind }) => rewind === true)) await isReset.promise;
        return apply();
      };
    }
    const begun: string[] = [];
    await consumer.process(
      async ({ offset, value }) => {
        begun.push(`${offset} ${Buffer.from(value ?? []).toString()} at ${consumer.position(0)}`);
        if (begun.length > 1) return void consumer.close();
        source.recreateTopic("orders");
        await source.producer.produce("orders", 0, [{ value: Buffer.from("new") }]);
        await isMoved.promise;
        // The next handlers have their turn.
        setImmediate(isReset.resolve);
      },
      { concurrency: 1 },
    );
    expect(begun).toEqual(["0 0 at 0", "0 new at 0"]);
  },
);

test("one busy partition among many is worked on in parallel (contract 5.26)", async () => {
  const source = await ordersLog(0, 200);
  const records = Array.from({ length: 200 }, () => ({ value: Buffer.from("x") }));
  await source.producer.produce("orders", 7, records);
  await using consumer = await createConsumer({ topic: "orders", source, untilEnd: true });
  let running = 0;
  let most = 0;
  await consumer.process(
    async () => {
      running += 1;
      most = Math.max(most, running);
      await pause(1);
      running -= 1;
    },
    { order: "none", concurrency: 64 },
  );
  expect(most).toBe(64);
});

test("no claim is left behind by an opening that fails, a claim during close(), or a session that was fenced (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  const ownerOf = async (partition: number): Promise<string | undefined> => {
    const [outcome] = await faulty.inner.fetch([{ ...key, partition }]);
    return outcome?.status === "found" ? outcome.record.owner : undefined;
  };
  faulty.claimFault = async (entries, apply) => {
    const outcomes = await apply();
    return entries.map((entry, index) =>
      entry.key.partition === 0
        ? { status: "failed", error: new Error("no") }
        : (outcomes[index] ?? { status: "failed", error: new Error("no") }),
    );
  };
  await expect(openOffsetSession({ ...options, store: faulty.store, partitions: [0, 1] })).rejects.toThrow("no");
  expect(await ownerOf(1)).toBeUndefined();
  faulty.claimFault = undefined;
  const closing = await openOffsetSession({ ...options, store: faulty.store, partitions: [1] });
  const claiming = closing.claim([2]);
  await closing.close();
  await expect(claiming).rejects.toMatchObject({ code: "CLOSED" });
  expect(await ownerOf(2)).toBeUndefined();
  const takeover = { ...options, sharing: "takeover" } as const;
  const fenced = await openOffsetSession({ ...takeover, store: faulty.store, partitions: [3, 4] });
  await faulty.inner.reset([{ key: { ...key, partition: 3 }, nextOffset: 0n }]);
  fenced.commit({ partition: 3, offset: 1n });
  await expect(fenced.flush()).rejects.toMatchObject({ reason: "reset" });
  await fenced.close();
  expect(await ownerOf(4)).toBeUndefined();
});

test("what cannot be an offset, a mark or a reason is refused where it is given, and stops no flush (contract 3.8a)", async () => {
  const store = createMemoryStore();
  await using session = await openOffsetSession({ ...options, store, partitions: [0, 1] });
  expect(() => session.deliver({ partition: 0, offset: "5" as never })).toThrow(TypeError);
  expect(() => session.deliver({ partition: 0, offset: 5 as never })).toThrow(TypeError);
  expect(() => session.startAt(0, 1n, { mark: "x".repeat(300) })).toThrow(/mark/u);
  expect(() => session.resetTo(0, 1n, "x".repeat(9_999))).toThrow(/reason/u);
  expect(() => session.commit("x" as never)).toThrow(/record must be an object/u);
  expect(() => session.commit({ partition: 0, offset: 1n }, { meta: "x" } as never)).toThrow(/meta/u);
  session.commit({ partition: 1, offset: 4n });
  await session.flush();
  expect(await storedOffset(store, { ...key, partition: 1 })).toBe(5n);
});

test("auto: what is done beyond the position stays stored while it is read on, and is skipped at once (contract 5.14)", async () => {
  const source = await ordersLog(100);
  const store = createMemoryStore();
  {
    await using consumer = await createConsumer({ ...options, source, store, strategy: "manual" });
    for await (const record of consumer) {
      if (record.offset === 9n) consumer.commit({ partition: 0, offset: 8n });
      if (record.offset > 9n) consumer.acknowledge(record);
      if (record.offset === 89n) break;
    }
  }
  await using consumer = await createConsumer({ ...options, source, store, untilEnd: true });
  const seen: bigint[] = [];
  for await (const { offset } of consumer) {
    seen.push(offset);
    await consumer.flush();
    const [outcome] = await store.fetch([key]);
    // Nothing of what is done may come again after a crash here.
    if (offset === 9n)
      expect(outcome).toMatchObject({ record: { nextOffset: 9n, acknowledged: [{ from: 10n, to: 90n }] } });
    else expect(outcome?.status === "found" && (outcome.record.nextOffset ?? 0n)).toBeGreaterThanOrEqual(90n);
  }
  expect(seen).toEqual([9n, 90n, 91n, 92n, 93n, 94n, 95n, 96n, 97n, 98n, 99n]);
});

test("retention within what is done: what lies past the new position is not handed out again (contract 5.14, 6.5)", async () => {
  const source = await ordersLog(100);
  const store = createMemoryStore();
  {
    await using consumer = await createConsumer({ ...options, source, store, strategy: "manual" });
    for await (const record of consumer) {
      if (record.offset >= 45n && record.offset < 60n) consumer.acknowledge(record);
      if (record.offset === 60n) break;
    }
  }
  source.deleteRecords("orders", 0, 50n);
  await using consumer = await createConsumer({ ...options, source, store, untilEnd: true });
  const seen: bigint[] = [];
  for await (const { offset } of consumer) seen.push(offset);
  expect(seen[0]).toBe(60n);
  expect(consumer.position(0)).toBe(100n);
});

test("metadata is not lost when a record is written anew after its TTL (contract 5.6)", async () => {
  let time = 1_000_000;
  const backend = createMemoryBackend({ clock: () => time });
  const store = createMemoryStore({ backend });
  await using session = await openOffsetSession({ ...options, store, partitions: [0], ttl: 60_000 });
  session.commit({ partition: 0, offset: 1n }, { metadata: "checkpoint-17" });
  await session.flush();
  time += 120_000;
  const { now } = Date;
  Date.now = () => now() + 120_000;
  try {
    session.commit({ partition: 0, offset: 2n });
    await session.flush();
  } finally {
    Date.now = now;
  }
  expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 3n, metadata: "checkpoint-17" } }]);
});

test("a partition that is refused for good does not slow the flushes of the others (contract 5.8)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({
    ...{ ...options, store: faulty.store, partitions: [0, 1], flushInterval: 5, onEvent: () => undefined },
  });
  faulty.commitFault = async (entries, apply) => {
    const outcomes = [...(await apply(entries.filter((entry) => entry.key.partition !== 0)))];
    return entries.map((entry) =>
      entry.key.partition === 0
        ? { status: "failed", error: denied }
        : (outcomes.shift() ?? { status: "failed", error: denied }),
    );
  };
  session.commit({ partition: 0, offset: 1n });
  for (let offset = 0n; offset < 20n; offset += 1n) {
    session.commit({ partition: 1, offset });
    // By time alone, and twenty times in a row: with a back-off of up to 5 s it would not come to this.
    await eventually(async () => (await storedOffset(faulty.inner, { ...key, partition: 1 })) === offset + 1n);
  }
  faulty.commitFault = undefined;
});

test("linger: a batch of a partition that is lost meanwhile goes with it (contract 5.24)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(1, 2);
  const events = new EventLog<ConsumerEvent>();
  const consumer = await createConsumer({
    ...{ ...options, source, store: faulty.store, sharing: "takeover", onFenced: "continue" },
    ...{ flushInterval: 1, renewInterval: 5 },
    onEvent: events.hear,
  });
  const iterator = consumer.batches({ maxRecords: 3, linger: 600_000 })[Symbol.asyncIterator]();
  const first = iterator.next();
  await faulty.inner.reset([{ key, nextOffset: 0n }]);
  await events.first("fenced");
  await produce(source, 2, 1);
  expect((await first).value).toMatchObject({ partition: 1, nextOffset: 3n });
  const second = iterator.next();
  await consumer.close();
  expect(await second).toMatchObject({ done: true });
});
