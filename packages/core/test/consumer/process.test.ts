import { setTimeout as pause } from "node:timers/promises";
import {
  createConsumer,
  type ConsumerEvent,
  type ConsumerOptions,
  type LogRecord,
  type ProcessOptions,
} from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource, type MemorySource } from "@tidemark/test-support";
import { expect, test } from "vitest";
import { createFaultyStore, fail as failToWrite, storedOffset } from "../session/faulty-store.ts";
import { EventLog, eventually } from "../session/eventually.ts";
import { key, ordersLog } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function keyedLog(count: number, partitions: number, keys: number): Promise<MemorySource> {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions });
  for (let partition = 0; partition < partitions; partition += 1) {
    const records = Array.from({ length: count }, (_, index) => ({
      value: Buffer.from("x"),
      key: index % 7 === 6 ? null : Buffer.from(`k${index % keys}`),
    }));
    await source.producer.produce("orders", partition, records);
  }
  return source;
}

function laneOf({ partition, key: of, offset }: LogRecord, order: ProcessOptions["order"]): string {
  if (order === "partition") return `${partition}`;
  return order === "key" && of !== null ? `${partition}:${Buffer.from(of).toString()}` : `${partition}#${offset}`;
}

test.each(["partition", "key", "none"] as const)(
  "order %s: random handlers that wait, fail, retry and skip: the order holds, never more at once than asked, all done once (contract 5.26)",
  async (order) => {
    const seed = Date.now() % 1_000_000;
    const random = randomFrom(seed);
    const source = await keyedLog(250, 4, 5);
    const store = createMemoryStore();
    await using consumer = await createConsumer({ ...options, source, store, untilEnd: true, maxBytes: 64 });
    const underWay = new Map<string, LogRecord>();
    const last = new Map<string, bigint>();
    const done = new Map<string, number>();
    let running = 0;
    let most = 0;
    await consumer.process(
      async (record, { attempt }) => {
        const lane = laneOf(record, order);
        const name = `${record.partition}/${record.offset}`;
        const other = underWay.get(lane);
        expect(other, `seed ${seed}: ${name} beside ${other?.offset}`).toBeUndefined();
        const before = last.get(lane);
        if (before !== undefined)
          expect(record.offset, `seed ${seed}: ${name} after ${before}`).toBeGreaterThan(before);
        underWay.set(lane, record);
        running += 1;
        most = Math.max(most, running);
        try {
          const dice = random();
          if (dice < 0.3) await pause(random() * 3);
          else if (dice < 0.5) await Promise.resolve();
          // A retry takes 50 ms and more: few of them.
          if (random() < 0.01 && attempt === 1) throw new Error("retry");
          if (random() < 0.03) throw new Error("skip");
          done.set(name, (done.get(name) ?? 0) + 1);
          last.set(lane, record.offset);
        } finally {
          running -= 1;
          underWay.delete(lane);
        }
      },
      {
        concurrency: 64,
        order,
        onError: (error, record) => {
          const what = (error as Error).message;
          if (what === "skip") {
            done.set(`${record.partition}/${record.offset}`, 1);
            last.set(laneOf(record, order), record.offset);
          }
          return what === "skip" || what === "retry" ? what : "stop";
        },
      },
    );
    expect(done.size, `seed ${seed}`).toBe(1_000);
    expect([...done.values()].every((count) => count === 1)).toBe(true);
    expect(most).toBeLessThanOrEqual(64);
    expect(most).toBeGreaterThan(order === "partition" ? 1 : 8);
    for (let partition = 0; partition < 4; partition += 1) {
      expect(await storedOffset(store, { ...key, partition })).toBe(250n);
    }
  },
);

test("stop, the default: nothing new is begun, what is under way is waited for, what is done is stored, and the error is heard (contract 5.26)", async () => {
  const source = await ordersLog(50);
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source, store });
  const gate = Promise.withResolvers<void>();
  const ended: bigint[] = [];
  const processing = consumer.process(
    async ({ offset }) => {
      if (offset === 3n) throw new Error("poison");
      if (offset === 1n) await gate.promise;
      ended.push(offset);
    },
    { order: "none", concurrency: 4 },
  );
  let isSettled = false;
  processing.catch(() => undefined).finally(() => (isSettled = true));
  await eventually(() => ended.length > 0);
  await pause(5);
  expect(isSettled).toBe(false);
  gate.resolve();
  await expect(processing).rejects.toThrow("poison");
  expect(ended).not.toContain(3n);
  expect(await storedOffset(store, key)).toBe(3n);
  expect(ended.length).toBeLessThan(50);
});

test("close() waits for what is under way, begins nothing, and stores exactly what was done (contract 5.26)", async () => {
  const source = await ordersLog(50);
  const store = createMemoryStore();
  const consumer = await createConsumer({ ...options, source, store });
  const gate = Promise.withResolvers<void>();
  const begun: bigint[] = [];
  const ended: bigint[] = [];
  const processing = consumer.process(
    async ({ offset }) => {
      begun.push(offset);
      if (offset >= 5n) await gate.promise;
      ended.push(offset);
    },
    { order: "none", concurrency: 3 },
  );
  await eventually(() => begun.length === 8);
  const closing = consumer.close();
  gate.resolve();
  await closing;
  await processing;
  expect(begun.length).toBe(8);
  expect(ended.toSorted((a, b) => Number(a - b))).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  expect(await storedOffset(store, key)).toBe(8n);
});

test("an abort waits for nothing, and commits nothing that is not done; handlers hear of it (contract 5.26)", async () => {
  const source = await ordersLog(50);
  const faulty = createFaultyStore();
  const abort = new AbortController();
  const consumer = await createConsumer({ ...options, source, store: faulty.store, signal: abort.signal });
  const heard: unknown[] = [];
  let begun = 0;
  const processing = consumer.process(
    async ({ offset }, { signal }) => {
      begun += 1;
      if (offset < 2n) return;
      await new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          heard.push(signal.reason);
          resolve(undefined);
        });
      });
    },
    { order: "none", concurrency: 3 },
  );
  await eventually(() => begun === 5);
  abort.abort("enough");
  await expect(processing).rejects.toBe("enough");
  expect(heard).toEqual(["enough", "enough", "enough"]);
  await consumer.close();
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
  expect(begun).toBe(5);
});

test("one slow record holds up its own partition only; what is done beyond it is stored and does not come again (contract 5.14, 5.26)", async () => {
  const source = await ordersLog(300, 2);
  const store = createMemoryStore();
  const gate = Promise.withResolvers<void>();
  const takeover = { ...options, source, store, sharing: "takeover" } as const;
  const first = await createConsumer({ ...takeover, flushInterval: 1 });
  let count = 0;
  const processing = first.process(
    async ({ partition, offset }) => {
      if (partition === 0 && offset === 7n) await gate.promise;
      count += 1;
    },
    { order: "none", concurrency: 8 },
  );
  await eventually(() => count === 599);
  await first.flush();
  expect(await storedOffset(store, key)).toBe(7n);
  expect(await storedOffset(store, { ...key, partition: 1 })).toBe(300n);
  // Killed here: another takes over.
  const seen: bigint[] = [];
  await using second = await createConsumer({ ...takeover, untilEnd: true });
  await second.process(({ offset }) => seen.push(offset));
  expect(seen).toEqual([7n]);
  gate.resolve();
  await first.close().catch(() => undefined);
  await processing.catch(() => undefined);
});

test("back-pressure: no more than 1,000 records are handed out and not done (contract 5.26)", async () => {
  const source = await ordersLog(5_000);
  const handedOut: bigint[] = [];
  const gate = Promise.withResolvers<void>();
  const consumer = await createConsumer({ topic: "orders", source, untilEnd: true });
  const take = consumer.process(
    async ({ offset }) => {
      handedOut.push(offset);
      await gate.promise;
    },
    { order: "none", concurrency: 100_000 },
  );
  await eventually(() => handedOut.length === 1_000);
  await pause(20);
  expect(handedOut).toHaveLength(1_000);
  gate.resolve();
  await take;
  expect(handedOut).toHaveLength(5_000);
  await consumer.close();
});

test("handlers that never wait leave the event loop to timers (contract 5.26)", async () => {
  const source = await ordersLog(200);
  await using consumer = await createConsumer({ topic: "orders", source, untilEnd: true });
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 1);
  await consumer.process(() => {
    const until = performance.now() + 1;
    while (performance.now() < until);
  });
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(5);
});

test("onError that throws stops with what it threw; one that gives nonsense stops, too (contract 5.26)", async () => {
  const source = await ordersLog(5);
  const fail = (): never => {
    throw new Error("handler");
  };
  for (const [onError, message] of [
    [
      () => {
        throw new Error("no dead letter topic");
      },
      /no dead letter topic/u,
    ],
    [() => "again", /must return "retry", "skip" or "stop"/u],
  ] as const) {
    await using consumer = await createConsumer({ topic: "orders", source, untilEnd: true });
    await expect(consumer.process(fail, { onError: onError as () => never })).rejects.toThrow(message);
  }
});

test("a partition that is lost while records of it wait: they are not worked on, and count for nothing (contract 5.26)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(20, 2);
  const consumerOptions: ConsumerOptions = {
    ...{ ...options, source, store: faulty.store, flushInterval: 600_000, untilEnd: true },
    ...{ sharing: "takeover", onFenced: "continue" },
  };
  await using consumer = await createConsumer(consumerOptions);
  const ofLost: bigint[] = [];
  let ofOther = 0;
  await consumer.process(async ({ partition, offset }) => {
    if (partition === 1) {
      ofOther += 1;
      return;
    }
    ofLost.push(offset);
    if (offset !== 2n) return;
    await faulty.inner.reset([{ key, nextOffset: 0n }]);
    await consumer.flush();
  });
  expect(ofLost).toEqual([0n, 1n, 2n]);
  expect(ofOther).toBe(20);
  expect(await storedOffset(faulty.inner, key)).toBe(0n);
});

test("wrong handlers and bounds are refused, and there is one way of reading at a time (contract 5.18, 5.26)", async () => {
  const source = await ordersLog(3);
  await using consumer = await createConsumer({ topic: "orders", source, untilEnd: true });
  await expect(consumer.process(5 as never)).rejects.toThrow(/handler must be a function/u);
  const handler = () => undefined;
  await expect(consumer.process(handler, { concurrency: 0 })).rejects.toThrow(RangeError);
  await expect(consumer.process(handler, { order: "topic" as never })).rejects.toThrow(/order must be one of/u);
  await expect(consumer.process(handler, { onError: "retry" as never })).rejects.toThrow(/onError/u);
  await expect(consumer.process(handler, { concurency: 5 } as never)).rejects.toThrow(/concurency/u);
  const first = consumer.process(handler);
  await expect(consumer.process(handler)).rejects.toMatchObject({ code: "ALREADY_READING" });
  await first;
});

test("what stops process() ends it also while nothing may be handed out, because the store is away (contract 5.26)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<ConsumerEvent>();
  const consumer = await createConsumer({
    ...{ ...options, source: await ordersLog(2_000), store: faulty.store, onEvent: events.hear },
    ...{ flushInterval: 1, maxUnflushedAge: 20 },
  });
  faulty.commitFault = failToWrite;
  const processing = consumer.process(
    async ({ offset }) => {
      if (offset !== 1n) return;
      await events.first("stalled");
      throw new Error("boom");
    },
    { concurrency: 1 },
  );
  await expect(processing).rejects.toThrow("boom");
  faulty.commitFault = undefined;
  await consumer.close();
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
});
