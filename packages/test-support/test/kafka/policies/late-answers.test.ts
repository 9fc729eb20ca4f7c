import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { makeTopic, numbered, openLog } from "./kafka-topics.ts";
import { openConsumer, take } from "./observed-consumer.ts";
import { observe } from "./observed-log.ts";
import { CONSUMER, watchedStore } from "./watched-store.ts";

await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  beforeAll(async () => {
    log = await openLog(server);
  });
  afterAll(() => log.close());

  async function lostTopic(partitions = 1): Promise<string> {
    const topic = await makeTopic(server, log, partitions);
    for (let partition = 0; partition < partitions; partition += 1) {
      await log.producer.produce(topic, partition, numbered(10));
      await log.deleteRecords(topic, partition, 4n);
    }
    return topic;
  }

  it("a loop was left, and another one has gone on: the late answer changes nothing", async () => {
    const topic = await lostTopic();
    const late = Promise.withResolvers<void>();
    const observed = observe(log, (_entries, lookup) => (lookup === 1 ? late.promise : undefined));
    const watched = watchedStore();
    await watched.put(topic, 1n);
    const { consumer, resets } = await openConsumer({ source: observed.source, topic }, watched);
    const first = consumer[Symbol.asyncIterator]();
    const waiting = first.next();
    await vi.waitUntil(() => observed.lookups.length === 1, { timeout: 60_000 });
    await first.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(consumer.position(0)).toBe(1n);
    expect(await take(consumer, 4)).toEqual([4n, 5n, 6n, 7n]);
    late.resolve();
    // What the answer would have set in motion takes a turn at most: the next fetch comes after it.
    expect(await take(consumer, 3)).toEqual([7n, 8n, 9n]);
    expect(resets()).toMatchObject([{ from: 1n, to: 4n, skipped: 3n }]);
    await consumer.close();
    expect(await watched.position(topic)).toBe(9n);
  });

  it("an operator moved the partition meanwhile: it is dropped, and the others go on", async () => {
    const topic = await lostTopic(2);
    const late = Promise.withResolvers<void>();
    const observed = observe(log, () => late.promise);
    const watched = watchedStore();
    await watched.put(topic, 1n, [0, 1]);
    const { consumer, events, resets } = await openConsumer(
      { source: observed.source, topic, sharing: "takeover", onFenced: "continue", renewInterval: 20 },
      watched,
    );
    const seen = take(consumer, 6);
    // Both in one lookup, unless the machine stood still between the two refusals.
    await vi.waitUntil(() => observed.lookups.flat().includes(0), { timeout: 60_000 });
    await watched.store.reset([{ key: { consumer: CONSUMER, topic, partition: 0 }, nextOffset: 8n }]);
    await vi.waitUntil(() => events.some(({ type }) => type === "fenced"), { timeout: 60_000 });
    late.resolve();
    expect(await seen).toEqual([4n, 5n, 6n, 7n, 8n, 9n]);
    expect(observed.lookups.flat().toSorted((a, b) => a - b)).toEqual([0, 1]);
    expect(resets()).toMatchObject([{ partition: 1 }]);
    expect(consumer.partitions).toEqual([1]);
    await consumer.close();
    expect(await watched.position(topic, 0)).toBe(8n);
    expect(await watched.position(topic, 1)).toBe(9n);
  });

  it("the consumer was closed: nothing is written", async () => {
    const topic = await lostTopic();
    const late = Promise.withResolvers<void>();
    const observed = observe(log, () => late.promise);
    const watched = watchedStore();
    await watched.put(topic, 1n);
    const { consumer, resets } = await openConsumer({ source: observed.source, topic }, watched);
    const ended = take(consumer, 1);
    await vi.waitUntil(() => observed.lookups.length === 1, { timeout: 60_000 });
    await consumer.close();
    expect(await ended).toEqual([]);
    late.resolve();
    await log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
    expect(resets()).toEqual([]);
    expect(watched.commits).toEqual([]);
    expect(observed.fetches).toHaveLength(1);
  });
});
