import { randomBytes } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createConsumer, type ConsumerEvent } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { expect, onTestFinished, test, vi } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { ordersLog } from "./orders.ts";

// What waits in process() holds up its own partition or key, and nothing else.

const options = { topic: "orders", consumer: "c1" };

test.each([2, 4])(
  "large records that wait for a retry in all but one of %s partitions do not hold up that one (contract 5.26)",
  async (partitions) => {
    const source = createMemorySource();
    await source.admin.createTopic("orders", { partitions });
    const records = Array.from({ length: 100 }, () => ({ value: randomBytes(10_000) }));
    for (let partition = 0; partition < partitions; partition += 1) {
      await source.producer.produce("orders", partition, records);
    }
    const last = partitions - 1;
    const ended = new AbortController();
    await using consumer = await createConsumer({
      ...{ ...options, source, store: createMemoryStore(), start: "earliest", signal: ended.signal },
      maxBufferedBytes: 1_000_000,
    });
    const done: bigint[] = [];
    const processing = consumer.process(
      ({ partition, offset }) => {
        if (partition !== last) throw new Error("not yet");
        done.push(offset);
        if (done.length === 100) ended.abort(new Error("enough"));
      },
      { concurrency: 1, order: "partition", onError: () => "retry" },
    );
    await expect(processing).rejects.toThrow("enough");
    expect(done.length).toBe(100);
  },
);

test("partitions that are read to their end still hold their room: no more is handed out than there is (contract 5.26)", async () => {
  const source = createMemorySource();
  await source.admin.createTopic("of-their-room", { partitions: 2 });
  const records = Array.from({ length: 3_000 }, () => ({ value: null }));
  await source.producer.produce("of-their-room", 0, records.slice(0, 400));
  await source.producer.produce("of-their-room", 1, records);
  let handedOut = 0;
  const count = (message: unknown): void => {
    if ((message as { readonly topic: string }).topic === "of-their-room") handedOut += 1;
  };
  subscribe("tidemark:deliver", count);
  onTestFinished(() => void unsubscribe("tidemark:deliver", count));
  const ended = new AbortController();
  await using consumer = await createConsumer({
    ...{ ...options, topic: "of-their-room", source, store: createMemoryStore(), signal: ended.signal },
    ...{ start: "earliest" as const, untilEnd: true },
  });
  const processing = consumer.process(() => new Promise<void>(() => undefined), { concurrency: 1 });
  await eventually(() => handedOut >= 1_000);
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(handedOut).toBeLessThanOrEqual(1_001);
  ended.abort(new Error("enough"));
  await expect(processing).rejects.toThrow("enough");
});

test("a partition one key of which waits for a retry goes on with its others when there is room again (contract 5.26)", async () => {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions: 2 });
  const of = (name: string, length: number) => Array.from({ length }, () => ({ key: Buffer.from(name), value: null }));
  await source.producer.produce("orders", 0, [...of("waits", 600), ...of("goes", 400)]);
  await source.producer.produce("orders", 1, of("other", 600));
  const ended = new AbortController();
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), signal: ended.signal, start: "earliest" },
  });
  let done = 0;
  const processing = consumer.process(
    ({ key: name }) => {
      const text = Buffer.from(name ?? []).toString();
      if (text === "waits") throw new Error("not yet");
      if (text === "goes") done += 1;
      if (done === 400) ended.abort(new Error("enough"));
    },
    { order: "key", concurrency: 2, onError: () => "retry" },
  );
  await expect(processing).rejects.toThrow("enough");
});

test("all partitions for which one record has made room go on, not the first of them alone (contract 5.26)", async () => {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions: 3 });
  const of = (name: string, bytes: number) => ({ key: Buffer.from(name), value: randomBytes(bytes) });
  await source.producer.produce("orders", 0, [of("large", 700_000)]);
  const ended = new AbortController();
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), signal: ended.signal, start: "earliest" },
    maxBufferedBytes: 2_000_000,
  });
  const isDone = Promise.withResolvers<void>();
  const attempts = [0, 0, 0];
  const processing = consumer.process(
    async ({ partition, key: name }) => {
      const text = Buffer.from(name ?? []).toString();
      if (text === "goes") return ended.abort(new Error("enough"));
      attempts[partition] = (attempts[partition] ?? 0) + 1;
      if (text === "waits") {
        // By now nothing more is handed out of either.
        if (attempts.every((count, each) => count > 1 || each === 0)) isDone.resolve();
        throw new Error("not yet");
      }
      await source.producer.produce("orders", 1, [of("waits", 170_000), of("waits", 1)]);
      await source.producer.produce("orders", 2, [of("waits", 170_000), of("goes", 1)]);
      await isDone.promise;
    },
    { order: "key", concurrency: 3, onError: () => "retry" },
  );
  await expect(processing).rejects.toThrow("enough");
});

test("what is kept for a partition is given to it when others' records are done (contract 5.26)", async () => {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions: 2 });
  const of = (name: string | undefined, bytes: number) => ({
    ...(name !== undefined && { key: Buffer.from(name) }),
    value: randomBytes(bytes),
  });
  const small = Array.from({ length: 6 }, () => of(undefined, 100_000));
  await source.producer.produce("orders", 0, [...small, of("waits", 900_000)]);
  const ended = new AbortController();
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), signal: ended.signal, start: "earliest" },
    maxBufferedBytes: 2_000_000,
  });
  const isTaken = Promise.withResolvers<void>();
  let attempts = 0;
  const processing = consumer.process(
    async ({ partition, key: name }) => {
      const text = Buffer.from(name ?? []).toString();
      if (text === "goes") return ended.abort(new Error("enough"));
      if (text === "") return isTaken.promise;
      attempts += 1;
      if (partition === 0 && attempts === 1)
        await source.producer.produce("orders", 1, [of("waits", 1), of("goes", 1)]);
      // By now nothing more is handed out of either.
      if (partition === 1) isTaken.resolve();
      throw new Error("not yet");
    },
    { order: "key", concurrency: 8, onError: () => "retry" },
  );
  await expect(processing).rejects.toThrow("enough");
});

test("a handler may give the value of its record away (contract 5.26)", async () => {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions: 1 });
  const records = Array.from({ length: 20 }, () => ({ value: new Uint8Array(100_000) }));
  await source.producer.produce("orders", 0, records);
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), start: "earliest", untilEnd: true },
    maxBufferedBytes: 1_000_000,
  });
  let bytes = 0;
  await consumer.process(({ value }) => {
    const { buffer } = value ?? expect.fail("a record without its value");
    bytes += structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }).byteLength;
  });
  expect(bytes).toBe(2_000_000);
});

test("two of 600 partitions whose many records wait for a retry do not hold up the others (contract 5.26)", async () => {
  const partitions = 600;
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions });
  const records = Array.from({ length: 1_200 }, () => ({ value: null }));
  for (const partition of [0, 1]) await source.producer.produce("orders", partition, records);
  const ended = new AbortController();
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), start: "earliest", signal: ended.signal },
  });
  let attempts = 0;
  let done = 0;
  const processing = consumer.process(
    async ({ partition }) => {
      if (partition > 1) {
        done += 1;
        if (done === 20) ended.abort(new Error("enough"));
        return;
      }
      attempts += 1;
      // All that there is room for is handed out by then.
      if (attempts === 10) await source.producer.produce("orders", 599, records.slice(0, 20));
      throw new Error("not yet");
    },
    { concurrency: 4, order: "partition", onError: () => "retry" },
  );
  await expect(processing).rejects.toThrow("enough");
});

test("what is lost while onError decides is not tried again, and holds up nothing (contract 5.26)", async () => {
  const source = await ordersLog(3);
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({
    ...{ ...options, source, store: createMemoryStore(), start: "earliest", resetPolicy: "earliest" },
    onEvent: events.hear,
  });
  const handled: string[] = [];
  // No retry comes by itself.
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  try {
    const processing = consumer.process(
      ({ offset, value }) => {
        const text = Buffer.from(value ?? []).toString();
        if (text !== "new") throw new Error("not yet");
        handled.push(`${text} ${offset}`);
        void consumer.close();
      },
      {
        order: "partition",
        async onError(): Promise<"retry"> {
          source.recreateTopic("orders");
          await source.producer.produce("orders", 0, [{ value: Buffer.from("new") }]);
          while (events.of("reset").length === 0) await new Promise((resolve) => setImmediate(resolve));
          return "retry";
        },
      },
    );
    await processing;
  } finally {
    vi.useRealTimers();
  }
  expect(handled).toEqual(["new 0"]);
});

test("what waits for a retry does not hold up the records that come after a reset (contract 5.26)", async () => {
  const source = await ordersLog(3);
  const store = createMemoryStore();
  await using consumer = await createConsumer({
    ...options,
    source,
    store,
    start: "earliest",
    resetPolicy: "earliest",
  });
  const handled: string[] = [];
  const waiting = Promise.withResolvers<void>();
  // No retry comes by itself from now on.
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  try {
    const processing = consumer.process(
      ({ offset, value }) => {
        if (handled.length === 0 && offset === 1n) throw new Error("not yet");
        if (Buffer.from(value ?? []).toString() === "new") handled.push(String(offset));
        if (handled.length === 2) void consumer.close();
      },
      {
        order: "partition",
        onError: () => {
          waiting.resolve();
          return "retry";
        },
      },
    );
    await waiting.promise;
    source.recreateTopic("orders");
    await source.producer.produce("orders", 0, [{ value: Buffer.from("new") }, { value: Buffer.from("new") }]);
    await processing;
  } finally {
    vi.useRealTimers();
  }
  expect(handled).toEqual(["0", "1"]);
});
