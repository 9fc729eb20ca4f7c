import {
  createConsumer,
  type ConsumerEvent,
  type ListOffsetsEntry,
  LogSourceError,
  type LogSource,
  type OffsetResetPolicy,
} from "@tidemark/core";
import { latest } from "@tidemark/reset-policies";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { key, ordersLog, produce, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

async function storeAt(nextOffset: bigint, partitions: readonly number[]) {
  const store = createMemoryStore();
  await store.reset(partitions.map((partition) => ({ key: { ...key, partition }, nextOffset })));
  return store;
}

/** A source whose fetches of a partition are answered later than they are. */
function slowed(source: LogSource, laterByMs: (partition: number) => number): LogSource {
  return {
    name: source.name,
    partitions: source.partitions.bind(source),
    listOffsets: source.listOffsets.bind(source),
    async fetch(request) {
      try {
        return await source.fetch(request);
      } finally {
        await new Promise((resolve) => setTimeout(resolve, laterByMs(request.partition)));
      }
    },
    close: source.close.bind(source),
    [Symbol.asyncDispose]: source.close.bind(source),
  };
}

test("partitions that the log refuses one after the other, a moment apart, are looked up in one call (contract 6.4)", async () => {
  const source = await ordersLog(3, 8);
  const store = await storeAt(90n, [0, 1, 2, 3, 4, 5, 6, 7]);
  const lookups: number[] = [];
  source.delayListOffsets((_topic, entries: readonly ListOffsetsEntry[]) => {
    lookups.push(new Set(entries.map(({ partition }) => partition)).size);
  });
  const inTurn = slowed(source, (partition) => (partition % 3) * 25);
  await using consumer = await createConsumer({ ...options, source: inTurn, store });
  expect(await take(consumer, 24)).toHaveLength(24);
  expect(lookups).toEqual([8]);
});

test("a lookup that is not answered holds up no partition that is refused later (contract 6.4)", async () => {
  const source = await ordersLog(3, 2);
  const store = await storeAt(90n, [0, 1]);
  const answer = Promise.withResolvers<void>();
  source.delayListOffsets((_topic, [entry]) => (entry?.partition === 0 ? answer.promise : undefined));
  const later = slowed(source, (partition) => partition * 1_000);
  await using consumer = await createConsumer({ ...options, source: later, store });
  expect(await take(consumer, 3)).toEqual([0n, 1n, 2n]);
  expect(consumer.position(1)).toBe(2n);
  answer.resolve();
});

test("a partition for which the policy answers nonsense holds up no other of the same lookup (contract 6.4)", async () => {
  // One record each: a turn of more ends after 100 ms, and a busy machine may stand still for longer.
  const source = await ordersLog(1, 2);
  const store = await storeAt(90n, [0, 1]);
  let asked = 0;
  const resetPolicy: OffsetResetPolicy = {
    name: "mine",
    timestamp: ({ partition }) => (partition === 0 ? -1 : -2),
    adjustOffset: (_last, next) => {
      // The answers tell the partitions apart: 1, the end, is for partition 0.
      if (next === 0n) return next;
      asked += 1;
      return next + 1n;
    },
  };
  await using consumer = await createConsumer({ ...options, source, store, resetPolicy });
  const seen: string[] = [];
  let askedAtFirst = 0;
  const loop = async (): Promise<void> => {
    for await (const { partition, offset } of consumer) {
      if (seen.length === 0) askedAtFirst = asked;
      seen.push(`${partition}/${offset}`);
    }
  };
  await expect(loop()).rejects.toMatchObject({ name: "OffsetOutOfRangeError", partition: 0, requested: 2n });
  expect(seen).toEqual(["1/0"]);
  expect([askedAtFirst, asked]).toEqual([1, 5]);
});

test.each([
  ["timestamp", { timestamp: () => Promise.reject(new Error("not today")) as unknown as number }],
  ["adjustOffset", { adjustOffset: () => Promise.reject(new Error("not today")) as unknown as bigint }],
  ["adjustOffset", { adjustOffset: () => new Promise(() => undefined) as unknown as bigint }],
])(
  "a policy whose %s gives a promise is refused at once, and what becomes of it harms nobody (contract 6.6)",
  async (method, part) => {
    const source = await ordersLog(3);
    const resetPolicy: OffsetResetPolicy = { name: "mine", timestamp: () => -2, ...part };
    await using consumer = await createConsumer({ ...options, source, store: await storeAt(90n, [0]), resetPolicy });
    await expect(take(consumer, 1)).rejects.toThrow(
      `reset policy "mine" failed on topic "orders" partition "0": ${method} must be synchronous, and returned a promise`,
    );
  },
);

test("a log made anew that has outgrown the position when it is looked up: all that is passed over counts (contract 6.5)", async () => {
  const source = await ordersLog(3);
  const events = new EventLog<ConsumerEvent>();
  let grown = false;
  const growing: LogSource = {
    ...slowed(source, () => 0),
    listOffsets: async (topic, entries, call) => {
      if (!grown) await produce(source, 97);
      grown = true;
      return source.listOffsets(topic, entries, call);
    },
  };
  const store = await storeAt(10n, [0]);
  const resetPolicy = latest();
  await using consumer = await createConsumer({
    ...options,
    source: growing,
    store,
    resetPolicy,
    onEvent: events.hear,
  });
  const first = take(consumer, 1);
  expect(await events.first("reset")).toMatchObject({
    reason: "beyond-log",
    from: 10n,
    to: 100n,
    skipped: 100n,
    earliest: 0n,
    latest: 100n,
  });
  await produce(source, 1);
  expect(await first).toEqual([100n]);
});

test("a lookup that fails for the moment is an event and tried again, with the offset of the fetch that failed (contract 6.3)", async () => {
  const source = await ordersLog(3);
  source.deleteRecords("orders", 0, 2n);
  const events = new EventLog<ConsumerEvent>();
  let failures = 2;
  const flaky: LogSource = {
    ...slowed(source, () => 0),
    listOffsets: async (topic, entries, call) => {
      failures -= 1;
      if (failures >= 0) throw new LogSourceError("no leader", { code: "UNAVAILABLE", retryable: true });
      return source.listOffsets(topic, entries, call);
    },
  };
  const asked: bigint[] = [];
  const resetPolicy: OffsetResetPolicy = {
    name: "mine",
    timestamp: () => -2,
    adjustOffset: (last, next) => {
      asked.push(last);
      return next;
    },
  };
  const store = await storeAt(1n, [0]);
  await using consumer = await createConsumer({ ...options, source: flaky, store, resetPolicy, onEvent: events.hear });
  expect(await take(consumer, 1)).toEqual([2n]);
  expect(events.of("fetch-failed")).toHaveLength(2);
  expect(events.of("reset")).toHaveLength(1);
  expect(asked).toEqual([1n]);
});

test("a log that loses what the policy chose before it is fetched: each reset counts its part, and the sum is exact (contract 6.5)", async () => {
  const source = await ordersLog(100);
  source.deleteRecords("orders", 0, 10n);
  const events = new EventLog<ConsumerEvent>();
  const starts = [20n, 35n, 50n];
  const vanishing: LogSource = {
    ...slowed(source, () => 0),
    listOffsets: async (topic, entries, call) => {
      const answer = await source.listOffsets(topic, entries, call);
      const next = starts.shift();
      if (next !== undefined) source.deleteRecords("orders", 0, next);
      return answer;
    },
  };
  const store = await storeAt(5n, [0]);
  await using consumer = await createConsumer({ ...options, source: vanishing, store, onEvent: events.hear });
  expect(await take(consumer, 2)).toEqual([50n, 51n]);
  expect(events.of("reset").map(({ from, to, skipped }) => [from, to, skipped])).toEqual([
    [5n, 10n, 5n],
    [10n, 20n, 10n],
    [20n, 35n, 15n],
    [35n, 50n, 15n],
  ]);
});

test("a loop that was left takes no answer of a lookup that is under way; the next one asks anew (contract 6.4)", async () => {
  const source = await ordersLog(3);
  const store = await storeAt(90n, [0]);
  const events = new EventLog<ConsumerEvent>();
  const answers: PromiseWithResolvers<void>[] = [];
  source.delayListOffsets(() => {
    const answer = Promise.withResolvers<void>();
    answers.push(answer);
    return answer.promise;
  });
  await using consumer = await createConsumer({ ...options, source, store, onEvent: events.hear });
  const first = consumer[Symbol.asyncIterator]();
  const waiting = first.next();
  await eventually(() => answers.length === 1);
  await first.return?.();
  await waiting;
  await produce(source, 1);
  const second = take(consumer, 4);
  await eventually(() => answers.length === 2);
  answers[1]?.resolve();
  expect(await second).toEqual([0n, 1n, 2n, 3n]);
  answers[0]?.resolve();
  expect(events.of("reset")).toMatchObject([{ from: 90n, to: 0n, latest: 4n }]);
  expect(consumer.position(0)).toBe(3n);
});

test("a log that outgrows a refused position while its bounds cannot be had is not read on there in silence (contract 6.5)", async () => {
  const source = await ordersLog(3);
  const events = new EventLog<ConsumerEvent>();
  let failed = false;
  const failing: LogSource = {
    ...slowed(source, () => 0),
    listOffsets: async (topic, entries, call) => {
      if (failed) return source.listOffsets(topic, entries, call);
      failed = true;
      await produce(source, 97);
      throw new LogSourceError("not now", { code: "UNAVAILABLE" });
    },
  };
  const store = await storeAt(10n, [0]);
  await using consumer = await createConsumer({ ...options, source: failing, store, onEvent: events.hear });
  expect(await take(consumer, 2)).toEqual([0n, 1n]);
  expect(await events.first("reset")).toMatchObject({ reason: "beyond-log", from: 10n, to: 0n });
});

test("a loop that is left while a refused position is looked up leaves the reset to the next one (contract 6.5)", async () => {
  const source = await ordersLog(3, 2);
  const events = new EventLog<ConsumerEvent>();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  let isFirst = true;
  source.delayListOffsets((): Promise<void> | undefined => {
    if (!isFirst) return undefined;
    isFirst = false;
    asked.resolve();
    return answer.promise;
  });
  const store = await storeAt(10n, [1]);
  await store.reset([{ key, nextOffset: 0n }]);
  await using consumer = await createConsumer({ ...options, source, store, onEvent: events.hear });
  for await (const record of consumer) {
    expect(record.partition).toBe(0);
    await asked.promise;
    break;
  }
  await produce(source, 97, 1);
  answer.resolve();
  const offsets: bigint[] = [];
  for await (const { partition, offset } of consumer) {
    if (partition === 1) offsets.push(offset);
    if (offsets.length === 2) break;
  }
  expect(offsets).toEqual([0n, 1n]);
  expect(await events.first("reset")).toMatchObject({ partition: 1, from: 10n, to: 0n });
});
