import type { OffsetResetPolicy } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeTopic, numbered, openLog, recreateTopic } from "./kafka-topics.ts";
import { listening, openConsumer, take } from "./observed-consumer.ts";
import { observe } from "./observed-log.ts";
import { watchedStore } from "./watched-store.ts";

await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  beforeAll(async () => {
    log = await openLog(server);
  });
  afterAll(() => log.close());

  /** A topic with 10 records, each in a batch of its own. */
  async function tenRecords(): Promise<string> {
    const topic = await makeTopic(server, log);
    for (const record of numbered(10)) await log.producer.produce(topic, 0, [record]);
    return topic;
  }

  it("first fetch without a stored position: -1, and no fetch is sent before the answer", async () => {
    const topic = await tenRecords();
    await log.deleteRecords(topic, 0, 4n);
    const { policy, told, adjusted } = listening(-2);
    const observed = observe(log);
    const watched = watchedStore();
    const { consumer, resets } = await openConsumer({ source: observed.source, topic, resetPolicy: policy }, watched);
    expect(observed.fetches).toEqual([]);
    expect(await take(consumer, 2)).toEqual([4n, 5n]);
    expect(told).toEqual([["start", -1n, -1n]]);
    expect(adjusted).toEqual([[-1n, 4n]]);
    expect(observed.refused).toEqual([]);
    expect(resets()).toEqual([]);
  });

  it("first fetch with a stored position: that position", async () => {
    const topic = await tenRecords();
    await log.deleteRecords(topic, 0, 4n);
    const { policy, told, adjusted } = listening(-1);
    const watched = watchedStore();
    await watched.put(topic, 2n);
    const { consumer, reset } = await openConsumer({ source: log, topic, resetPolicy: policy }, watched);
    const first = take(consumer, 1);
    await reset(1);
    await log.producer.produce(topic, 0, numbered(1));
    expect(await first).toEqual([10n]);
    expect(told).toEqual([["below-log", 2n, 2n]]);
    expect(adjusted).toEqual([[2n, 10n]]);
  });

  it("an absolute start that the log does not have: -1, and what was asked for", async () => {
    const topic = await tenRecords();
    const { policy, told, adjusted } = listening(-2);
    const watched = watchedStore();
    await openConsumer({ source: log, topic, resetPolicy: policy, start: 11n }, watched);
    expect(told).toEqual([["beyond-log", 11n, -1n]]);
    expect(adjusted).toEqual([[-1n, 0n]]);
    expect(await watched.position(topic)).toBe(0n);
  });

  it("a later failure: the offset of the fetch that failed", async () => {
    const topic = await tenRecords();
    const { policy, told, adjusted } = listening(-2);
    const observed = observe(log);
    const watched = watchedStore();
    const { consumer, resets } = await openConsumer(
      { source: observed.source, topic, resetPolicy: policy, start: "earliest", maxBytes: 1 },
      watched,
    );
    const seen: bigint[] = [];
    for await (const { offset } of consumer) {
      seen.push(offset);
      // The next one may be here already; the one after it is gone.
      if (seen.length === 3) await log.deleteRecords(topic, 0, 8n);
      if (offset === 9n) break;
    }
    const failed = observed.refused[0] ?? -1n;
    expect(observed.refused).toHaveLength(1);
    expect(seen.slice(-3)).toEqual([failed - 1n, 8n, 9n]);
    expect(told).toEqual([["below-log", failed, failed]]);
    expect(adjusted).toEqual([[failed, 8n]]);
    expect(resets()).toMatchObject([{ reason: "below-log", from: failed, to: 8n, skipped: 8n - failed }]);
  });

  it("a chosen offset that is gone again: the offset of that fetch, or of the choice outside of the log", async () => {
    const topic = await tenRecords();
    await log.deleteRecords(topic, 0, 4n);
    const adjusted: [bigint, bigint][] = [];
    const resetPolicy: OffsetResetPolicy = {
      name: "mine",
      timestamp: () => -2,
      adjustOffset: (last, next) => {
        adjusted.push([last, next]);
        // The first choice lies outside; the second is deleted before it is fetched.
        return adjusted.length === 1 ? 3n : next;
      },
    };
    const observed = observe(log, async (_entries, lookup) => {
      if (lookup === 2) await log.deleteRecords(topic, 0, 7n);
    });
    const watched = watchedStore();
    await watched.put(topic, 1n);
    const { consumer, resets } = await openConsumer({ source: observed.source, topic, resetPolicy }, watched);
    expect(await take(consumer, 1)).toEqual([7n]);
    expect(observed.refused).toEqual([1n, 4n]);
    expect(adjusted).toEqual([
      [1n, 4n],
      [3n, 4n],
      [4n, 7n],
    ]);
    expect(resets().map(({ from, to, skipped }) => [from, to, skipped])).toEqual([
      [1n, 4n, 3n],
      [4n, 7n, 3n],
    ]);
  });

  it("a topic made again shorter while it is read: back once, and exact from then on", async () => {
    const topic = await tenRecords();
    const { policy, told, adjusted } = listening(-2);
    const watched = watchedStore();
    const { consumer, events, resets, reset } = await openConsumer(
      { source: log, topic, resetPolicy: policy, start: "earliest" },
      watched,
    );
    const seen: bigint[] = [];
    for await (const { offset } of consumer) {
      seen.push(offset);
      if (seen.length === 10) {
        await consumer.flush();
        expect(await watched.position(topic)).toBe(9n);
        // Deleted while the consumer waits at its end, or fails to.
        setImmediate(() => void again());
      }
      if (seen.length === 13) break;
    }
    async function again(): Promise<void> {
      await recreateTopic(server, topic);
      await log.producer.produce(topic, 0, numbered(3));
    }
    const { from } = await reset(1);
    expect(from).toBe(10n);
    expect(seen.slice(10)).toEqual([0n, 1n, 2n]);
    expect(told.every(([reason, requested]) => reason !== "start" && requested >= 0n)).toBe(true);
    expect(adjusted[0]?.[0]).toBe(10n);
    expect(resets().at(-1)).toMatchObject({ reason: "other-log", to: 0n, skipped: 0n, earliest: 0n });
    expect(events.filter(({ type }) => type === "behind")).toEqual([]);
    // Leaving the loop has flushed what was committed: two of the new records.
    expect(watched.commits.filter(({ rewind }) => rewind)).toMatchObject([{ nextOffset: 0n }]);
    expect(watched.commits.at(-1)).toMatchObject({ nextOffset: 2n });
    expect(await watched.position(topic)).toBe(2n);
  });

  it.each([
    ["a new topic", 0, 0n, [[-1n, 0n]], 0n],
    ["a topic with one record", 1, 0n, [[-1n, 1n]], 0n],
    [
      "a partition emptied by deletion",
      5,
      5n,
      [
        [-1n, 5n],
        [4n, 5n],
      ],
      5n,
    ],
  ] as const)("last-offset as start on %s", async (_what, records, deletedBelow, expected, first) => {
    const topic = await makeTopic(server, log);
    if (records > 0) await log.producer.produce(topic, 0, numbered(records));
    if (deletedBelow > 0n) await log.deleteRecords(topic, 0, deletedBelow);
    const adjusted: [bigint, bigint][] = [];
    const { lastOffset } = await import("@tidemark/reset-policies");
    const resetPolicy: OffsetResetPolicy = {
      ...lastOffset(),
      adjustOffset: (last, next) => {
        adjusted.push([last, next]);
        return lastOffset().adjustOffset?.(last, next) ?? next;
      },
    };
    const watched = watchedStore();
    const { consumer } = await openConsumer({ source: log, topic, resetPolicy }, watched);
    expect(adjusted).toEqual(expected);
    expect(await watched.position(topic)).toBe(first);
    await log.producer.produce(topic, 0, numbered(1));
    expect(await take(consumer, 1)).toEqual([first]);
  });
});
