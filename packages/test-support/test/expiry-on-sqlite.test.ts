import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  type ConsumerEvent,
  createConsumer,
  type LogRecord,
  type OffsetRecord,
  type OffsetStore,
} from "@tidemark/core";
import { type LocalLog, openLocalLog } from "@tidemark/source-local";
import { openSqliteStore, type SqliteTransaction } from "@tidemark/store-sqlite";
import { describe, expect, test } from "vitest";

const key = { consumer: "c1", topic: "orders", partition: 0 };

interface Bench {
  readonly source: LocalLog;
  readonly store: OffsetStore<SqliteTransaction>;
  readonly storeFile: string;
}

/** A log and a store in files of their own, so that the store can be taken away alone. */
async function withBench(records: number, use: (bench: Bench) => Promise<void>, timeout = 30_000): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-expiry-"));
  const storeFile = join(folder, "positions.db");
  const source = await openLocalLog({ file: join(folder, "log.db"), synchronous: "normal" });
  const store = await openSqliteStore({ file: storeFile, timeout, synchronous: "normal" });
  try {
    await source.admin.createTopic(key.topic, { partitions: 1 });
    await produce(source, records);
    await use({ source, store, storeFile });
  } finally {
    await store.close();
    await source.close();
    await rm(folder, { recursive: true });
  }
}

async function produce(source: LocalLog, count: number): Promise<void> {
  await source.producer.produce(
    key.topic,
    0,
    Array.from({ length: count }, () => ({ value: Buffer.from("x") })),
  );
}

async function take(consumer: AsyncIterable<LogRecord>, count: number): Promise<bigint[]> {
  const offsets: bigint[] = [];
  for await (const record of consumer) {
    offsets.push(record.offset);
    if (offsets.length === count) break;
  }
  return offsets;
}

async function list(store: OffsetStore<SqliteTransaction>): Promise<OffsetRecord[]> {
  return Array.fromAsync(store.list());
}

/** Waits until something is so; the deadline is the test's own. */
async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.concurrent("a TTL, on SQLite", () => {
  test("a position expires by the store's clock, is never listed again, and reading begins by start", () =>
    withBench(10, async ({ source, store }) => {
      const options = { source, store, topic: key.topic, consumer: key.consumer, ttl: 5_000 };
      const first = await createConsumer(options);
      expect(await take(first, 4)).toEqual([0n, 1n, 2n, 3n]);
      await first.close();
      expect(await list(store)).toMatchObject([{ nextOffset: 3n, ttl: 5_000 }]);
      await until(async () => (await list(store)).length === 0);
      expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
      const second = await createConsumer({ ...options, start: { fromEnd: 2 } });
      expect(await take(second, 2)).toEqual([8n, 9n]);
      await second.close();
    }));

  test("an idle consumer keeps its position for twice its TTL", () =>
    withBench(5, async ({ source, store }) => {
      const ttl = 6_000;
      const events: ConsumerEvent[] = [];
      const consumer = await createConsumer({
        source,
        store,
        topic: key.topic,
        consumer: key.consumer,
        sharing: "takeover",
        ttl,
        flushInterval: 10,
        onEvent: (event) => events.push(event),
      });
      const abandoned = { ...key, consumer: "abandoned" };
      await store.claim([{ key: abandoned, token: "t", owner: "nobody", ttl }]);
      const iterator = consumer[Symbol.asyncIterator]();
      for (let count = 0; count < 5; count += 1) await iterator.next();
      const idle = iterator.next();
      const idleSince = performance.now();
      while (performance.now() - idleSince < 2 * ttl) {
        expect(await store.fetch([key])).toMatchObject([
          { status: "found", record: { nextOffset: expect.any(BigInt) } },
        ]);
        await new Promise((resolve) => setTimeout(resolve, ttl / 30));
      }
      // The same TTL without anybody to renew it ran out meanwhile.
      expect(await store.fetch([abandoned])).toEqual([{ status: "absent" }]);
      expect(await list(store)).toMatchObject([{ consumer: "c1", nextOffset: 5n }]);
      expect(events.filter(({ type }) => type !== "started")).toEqual([]);
      await consumer.close();
      expect(await idle).toEqual({ done: true, value: undefined });
    }));

  test("a store that was away for longer than the TTL loses nothing", () =>
    withBench(
      1_000,
      async ({ source, store, storeFile }) => {
        const ttl = 3_000;
        const events: ConsumerEvent[] = [];
        const consumer = await createConsumer({
          source,
          store,
          topic: key.topic,
          consumer: key.consumer,
          // In a group it would wait when its lease has expired.
          sharing: "takeover",
          ttl,
          flushInterval: 20,
          onEvent: (event) => events.push(event),
        });
        const iterator = consumer[Symbol.asyncIterator]();
        for (let count = 0; count < 10; count += 1) await iterator.next();
        await consumer.flush();
        // Another process's write lock: nothing can be written, and every attempt of the store times out.
        const blocker = new DatabaseSync(storeFile);
        blocker.exec("BEGIN IMMEDIATE");
        for (let count = 0; count < 500; count += 1) await iterator.next();
        await until(() => events.filter(({ type }) => type === "flush-failed").length >= 2);
        await until(async () => (await store.fetch([key]))[0]?.status === "absent");
        blocker.exec("ROLLBACK");
        blocker.close();
        await until(() => events.some(({ type }) => type === "recreated"));
        await consumer.flush();
        expect(await list(store)).toMatchObject([{ consumer: "c1", nextOffset: 509n, ttl }]);
        expect(events.some(({ type }) => type === "fenced")).toBe(false);
        await iterator.return?.();
        await consumer.close();
      },
      1_000,
    ));

  test("a position that an operator deleted stays deleted: the running consumer is fenced", () =>
    withBench(5, async ({ source, store }) => {
      const consumer = await createConsumer({
        source,
        store,
        topic: key.topic,
        consumer: key.consumer,
        sharing: "takeover",
        ttl: 60_000,
        flushInterval: 10,
        renewInterval: 30,
      });
      await take(consumer, 2);
      await store.delete({ consumer: key.consumer });
      await expect(take(consumer, 100)).rejects.toMatchObject({ name: "OffsetFencedError", reason: "absent" });
      await consumer.close();
      expect(await list(store)).toEqual([]);
    }));
});

describe.concurrent("a topic deleted and made again shorter, on SQLite", () => {
  test("the running consumer goes on by its policy; the position goes back once and then forward again", () =>
    withBench(100, async ({ source, store }) => {
      const events: ConsumerEvent[] = [];
      const consumer = await createConsumer({
        source,
        store,
        topic: key.topic,
        consumer: key.consumer,
        flushInterval: 1,
        maxWait: 50,
        resetPolicy: "latest",
        start: "earliest",
        onEvent: (event) => events.push(event),
      });
      const iterator = consumer[Symbol.asyncIterator]();
      for (let count = 0; count < 100; count += 1) await iterator.next();
      const pending = iterator.next();
      await until(async () => (await list(store))[0]?.nextOffset === 100n);
      await source.admin.deleteTopic(key.topic);
      await source.admin.createTopic(key.topic, { partitions: 1 });
      await produce(source, 7);
      await until(() => events.some(({ type }) => type === "reset"));
      expect(events.filter(({ type }) => type === "reset")).toMatchObject([
        { reason: "other-log", policy: "latest", from: 100n, to: 7n, skipped: 7n },
      ]);
      // A reset is durable, with where the position was.
      await until(async () => (await list(store))[0]?.nextOffset === 7n);
      expect(await list(store)).toMatchObject([{ resetFrom: { nextOffset: 100n, reason: "other-log" } }]);
      await produce(source, 3);
      expect((await pending).value).toMatchObject({ offset: 7n });
      const positions: bigint[] = [];
      for (const offset of [8n, 9n]) {
        expect((await iterator.next()).value).toMatchObject({ offset });
        await consumer.flush();
        positions.push((await list(store))[0]?.nextOffset ?? -1n);
      }
      expect(positions).toEqual([8n, 9n]);
      await iterator.return?.();
      await consumer.close();
      expect(events.filter(({ type }) => type === "behind" || type === "fenced")).toEqual([]);
    }));
});
