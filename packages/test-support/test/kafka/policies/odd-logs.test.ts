import { randomUUID } from "node:crypto";
import { Producer } from "@platformatic/kafka";
import type { OffsetResetPolicy } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { boundsOf, brokersOf, makeTopic, numbered, openLog } from "./kafka-topics.ts";
import { openConsumer, take } from "./observed-consumer.ts";
import { observe } from "./observed-log.ts";
import { watchedStore } from "./watched-store.ts";

await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  let dirty: KafkaLog;
  beforeAll(async () => {
    log = await openLog(server);
    dirty = await openLog(server, "read_uncommitted");
  });
  afterAll(async () => {
    await log.close();
    await dirty.close();
  });

  /** Writes records in a transaction of their own, which takes an offset more for its marker. Gives what ends it. */
  async function begin(topic: string, count: number): Promise<(end: "commit" | "abort") => Promise<void>> {
    const producer = new Producer({
      clientId: "tidemark-test",
      bootstrapBrokers: brokersOf(server),
      idempotent: true,
      transactionalId: `test-${randomUUID()}`,
      // The broker makes its topic of transactions when it is first asked.
      retries: 30,
      // Also how long the transaction may stay open.
      timeout: 120_000,
    });
    onTestFinished(() => producer.close(true));
    const transaction = await producer.beginTransaction();
    const messages = numbered(count).map(({ value }) => ({ topic, partition: 0, value: Buffer.from(value ?? []) }));
    await transaction.send({ messages });
    return async (end) => {
      const [, before] = await boundsOf(dirty, topic);
      await transaction[end]();
      // The coordinator answers before the marker is in the partition.
      await vi.waitUntil(async () => (await boundsOf(log, topic))[1] === before + 1n, { timeout: 60_000 });
    };
  }

  async function inTransaction(topic: string, count: number, end: "commit" | "abort"): Promise<void> {
    await (
      await begin(topic, count)
    )(end);
  }

  it.each(["commit", "abort"] as const)(
    "last-offset where the log ends with the marker of a transaction's %s: what comes next is the first delivered",
    async (end) => {
      const topic = await makeTopic(server, log);
      await log.producer.produce(topic, 0, numbered(5));
      await inTransaction(topic, 3, end);
      await log.deleteRecords(topic, 0, 4n);
      const observed = observe(log);
      const watched = watchedStore();
      await watched.put(topic, 1n);
      const { consumer, resets, reset } = await openConsumer(
        { source: observed.source, topic, resetPolicy: "last-offset" },
        watched,
      );
      const first = take(consumer, 1);
      // The marker is at 8: an offset without a record, so nothing is delivered until one comes.
      expect(await reset(1)).toMatchObject({ from: 1n, to: 8n, skipped: 7n, earliest: 4n, latest: 9n });
      await vi.waitUntil(() => observed.fetches.length >= 4, { timeout: 60_000 });
      expect(observed.fetches.slice(0, 3).map(({ offset }) => offset)).toEqual([1n, 8n, 9n]);
      await log.producer.produce(topic, 0, numbered(1));
      expect(await first).toEqual([9n]);
      expect(resets()).toHaveLength(1);
    },
  );

  it("a log whose end is nothing but aborted records and markers neither hangs nor spins, from wherever it is read", async () => {
    const topic = await makeTopic(server, log);
    await log.producer.produce(topic, 0, numbered(2));
    await inTransaction(topic, 3, "abort");
    await inTransaction(topic, 2, "abort");
    expect(await boundsOf(log, topic)).toEqual([0n, 9n]);
    for (const stored of [0n, 1n, 2n, 3n, 5n, 6n, 8n, 9n]) {
      const observed = observe(log);
      const watched = watchedStore();
      await watched.put(topic, stored);
      const { consumer, resets } = await openConsumer({ source: observed.source, topic, untilEnd: true }, watched);
      expect(await take(consumer, 100)).toEqual([0n, 1n].filter((offset) => offset >= stored));
      expect(observed.fetches.length).toBeLessThan(5);
      expect(resets()).toEqual([]);
      await consumer.close();
    }
    // Waiting at that end costs a fetch each time that maxWait is over, and no more.
    const observed = observe(log);
    const watched = watchedStore();
    await watched.put(topic, 5n);
    const { consumer } = await openConsumer({ source: observed.source, topic, maxWait: 300 }, watched);
    const next = take(consumer, 1);
    await vi.waitUntil(() => observed.fetches.length >= 4, { timeout: 60_000 });
    expect(observed.fetches.slice(0, 4).map(({ offset }) => offset)).toEqual([5n, 9n, 9n, 9n]);
    await log.producer.produce(topic, 0, numbered(1));
    expect(await next).toEqual([9n]);
  });

  it("a position behind an open transaction, which only read_uncommitted sees, is no position beyond the end", async () => {
    const topic = await makeTopic(server, log);
    await log.producer.produce(topic, 0, numbered(2));
    const end = await begin(topic, 3);
    expect(await boundsOf(log, topic)).toEqual([0n, 2n]);
    expect(await boundsOf(dirty, topic)).toEqual([0n, 5n]);
    const watched = watchedStore();
    await watched.put(topic, 4n);
    const untilEnd = await openConsumer({ source: log, topic, untilEnd: true }, watched);
    expect(await take(untilEnd.consumer, 1)).toEqual([]);
    expect(untilEnd.resets()).toEqual([]);
    await untilEnd.consumer.close();
    const { consumer, resets } = await openConsumer({ source: log, topic }, watched);
    const next = take(consumer, 1);
    await end("commit");
    expect(await next).toEqual([4n]);
    expect(resets()).toEqual([]);
    await consumer.close();

    // Beyond what was written at all it is one, and the bounds are those of what is committed.
    const other = watchedStore();
    await other.put(topic, 60n);
    const endOther = await begin(topic, 1);
    const beyond = await openConsumer({ source: log, topic, resetPolicy: "last-offset", untilEnd: true }, other);
    expect(await take(beyond.consumer, 1)).toEqual([]);
    expect(beyond.resets()).toMatchObject([{ reason: "beyond-log", from: 60n, to: 5n, skipped: 5n, latest: 6n }]);
    await endOther("abort");
  });

  it("a compacted topic: what compaction removed is a gap and no reset; what is counted are offsets", async () => {
    const topic = await makeTopic(server, log, 1, {
      "cleanup.policy": "compact,delete",
      "retention.ms": "-1",
      "segment.ms": "100",
      "min.cleanable.dirty.ratio": "0.01",
    });
    const put = (key: string) => log.producer.produce(topic, 0, [{ key: Buffer.from(key), value: Buffer.from(key) }]);
    for (const key of ["a", "a", "a", "b", "a", "a"]) await put(key);
    const offsets = async (): Promise<bigint[]> => {
      const { consumer } = await openConsumer(
        { source: log, topic, untilEnd: true, start: "earliest" },
        watchedStore(),
      );
      const found: bigint[] = [];
      for await (const { key, offset } of consumer) if (Buffer.from(key ?? []).toString() !== "c") found.push(offset);
      await consumer.close();
      return found;
    };
    // Each of these begins another segment: the one that is written to is not compacted.
    await vi.waitUntil(
      async () => {
        await put("c");
        return (await offsets()).length === 2;
      },
      { timeout: 60_000, interval: 150 },
    );
    expect(await offsets()).toEqual([3n, 5n]);

    const watched = watchedStore();
    await watched.put(topic, 1n);
    const inGap = await openConsumer({ source: log, topic }, watched);
    expect(await take(inGap.consumer, 2)).toEqual([3n, 5n]);
    expect(inGap.resets()).toEqual([]);
    await inGap.consumer.close();
    expect(await watched.position(topic)).toBe(4n);

    // Of the offsets 0 to 4 one record was left, which is gone now: the count is never less than what was lost.
    await log.deleteRecords(topic, 0, 5n);
    const below = watchedStore();
    await below.put(topic, 0n);
    const { consumer, resets } = await openConsumer({ source: log, topic }, below);
    expect(await take(consumer, 1)).toEqual([5n]);
    expect(resets()).toMatchObject([{ from: 0n, to: 5n, skipped: 5n }]);
  });

  it("a policy that leads into an aborted transaction or a gap: reading goes on at the next record", async () => {
    const topic = await makeTopic(server, log);
    await inTransaction(topic, 4, "abort");
    await log.producer.produce(topic, 0, numbered(3));
    await log.deleteRecords(topic, 0, 1n);
    for (const to of [1n, 3n, 4n]) {
      const resetPolicy: OffsetResetPolicy = { name: "mine", timestamp: () => -2, adjustOffset: () => to };
      const watched = watchedStore();
      await watched.put(topic, 0n);
      const { consumer, resets } = await openConsumer({ source: log, topic, resetPolicy }, watched);
      expect(await take(consumer, 2)).toEqual([5n, 6n]);
      expect(resets()).toMatchObject([{ from: 0n, to, skipped: to }]);
      await consumer.close();
      expect(await watched.position(topic)).toBe(6n);
    }
  });
});
