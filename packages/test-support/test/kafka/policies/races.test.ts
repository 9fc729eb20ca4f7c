import { type LogRecord, OffsetOutOfRangeError } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { boundsOf, makeTopic, numbered, openLog } from "./kafka-topics.ts";
import { openConsumer, take } from "./observed-consumer.ts";
import { observe } from "./observed-log.ts";
import { watchedStore } from "./watched-store.ts";

const PARTITIONS = [0, 1, 2];
const BATCHES = 90;

await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  beforeAll(async () => {
    log = await openLog(server);
  });
  afterAll(() => log.close());

  it("records are deleted under a slow consumer all the time: each offset is delivered or counted, once", async () => {
    const topic = await makeTopic(server, log, PARTITIONS.length);
    for (const partition of PARTITIONS) await log.producer.produce(topic, partition, numbered(1));
    const watched = watchedStore();
    const { consumer, resets } = await openConsumer(
      { source: log, topic, maxBytes: 1, flushInterval: 10, start: "earliest" },
      watched,
    );
    // Writes three records and takes away all but the last two, of one partition after the other.
    const racing = (async () => {
      for (let batch = 0; batch < BATCHES; batch += 1) {
        const partition = batch % PARTITIONS.length;
        const first = await log.producer.produce(topic, partition, numbered(3));
        await log.deleteRecords(topic, partition, first + 1n);
      }
    })();
    const seen = new Map<number, bigint[]>(PARTITIONS.map((partition) => [partition, []]));
    const isAtEnd = async (): Promise<boolean> => {
      for (const partition of PARTITIONS) {
        const [, end] = await boundsOf(log, topic, partition);
        if (seen.get(partition)?.at(-1) !== end - 1n) return false;
      }
      return true;
    };
    const loop = async (): Promise<void> => {
      for await (const { partition, offset } of consumer) {
        seen.get(partition)?.push(offset);
        // What is next is taken away meanwhile.
        await isAtEnd();
      }
    };
    // Whoever loses the race five times in a row hears of it, and may go on.
    const again = (error: unknown): Promise<void> => {
      if (error instanceof OffsetOutOfRangeError) return loop().catch(again);
      throw error;
    };
    const reading = loop().catch(again);
    await Promise.race([racing.then(() => vi.waitUntil(isAtEnd, { timeout: 60_000 })), reading]);
    await consumer.close();
    await reading;
    // Or nothing was raced.
    expect(resets().length).toBeGreaterThan(3);
    for (const partition of PARTITIONS) {
      const delivered = seen.get(partition) ?? [];
      const accountedFor = new Set(delivered);
      expect(accountedFor.size).toBe(delivered.length);
      expect(delivered).toEqual(delivered.toSorted((a, b) => (a < b ? -1 : 1)));
      let skipped = 0n;
      for (const reset of resets().filter((event) => event.partition === partition)) {
        expect(reset.skipped).toBe(reset.to - reset.from);
        for (let offset = reset.from; offset < reset.to; offset += 1n) {
          expect(accountedFor.has(offset)).toBe(false);
          accountedFor.add(offset);
        }
        skipped += reset.skipped;
      }
      const [, end] = await boundsOf(log, topic, partition);
      expect(BigInt(delivered.length) + skipped).toBe(end);
    }
  });

  it("what the lookup said is deleted before it is fetched, three times: it goes on, and the sum is exact", async () => {
    const topic = await makeTopic(server, log);
    await log.producer.produce(topic, 0, numbered(50));
    await log.deleteRecords(topic, 0, 10n);
    const observed = observe(log, async (_entries, lookup) => {
      if (lookup <= 3) await log.deleteRecords(topic, 0, 10n + BigInt(lookup) * 7n);
    });
    const watched = watchedStore();
    await watched.put(topic, 4n);
    const { consumer, resets } = await openConsumer({ source: observed.source, topic }, watched);
    expect(await take(consumer, 2)).toEqual([31n, 32n]);
    expect(observed.refused).toEqual([4n, 10n, 17n, 24n]);
    expect(resets().map(({ from, to, skipped }) => [from, to, skipped])).toEqual([
      [4n, 10n, 6n],
      [10n, 17n, 7n],
      [17n, 24n, 7n],
      [24n, 31n, 7n],
    ]);
    await consumer.close();
    expect(await watched.position(topic)).toBe(32n);
  });

  it("what the lookup said is deleted every time: an error after five resets, and the next loop goes on", async () => {
    const topic = await makeTopic(server, log, 2);
    for (const partition of [0, 1]) await log.producer.produce(topic, partition, numbered(50));
    await log.deleteRecords(topic, 0, 1n);
    const observed = observe(log, async (_entries, lookup) => {
      if (lookup <= 5) await log.deleteRecords(topic, 0, BigInt(lookup) * 5n);
    });
    const watched = watchedStore();
    await watched.put(topic, 0n, [0, 1]);
    const { consumer, resets } = await openConsumer({ source: observed.source, topic, partitions: [0, 1] }, watched);
    const failure: unknown = await take(consumer, 51).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OffsetOutOfRangeError);
    expect(failure).toMatchObject({ partition: 0, requested: 20n, earliest: 25n, latest: 50n });
    expect(resets().map(({ partition, from, to }) => [partition, from, to])).toEqual([
      [0, 0n, 1n],
      [0, 1n, 5n],
      [0, 5n, 10n],
      [0, 10n, 15n],
      [0, 15n, 20n],
    ]);
    expect(await watched.position(topic, 0)).toBe(20n);
    // All of the other partition was delivered, and its position is stored.
    expect(await watched.position(topic, 1)).toBe(50n);
    expect(await take(consumer, 2)).toEqual([25n, 26n]);
    expect(resets().at(-1)).toMatchObject({ from: 20n, to: 25n, skipped: 5n });
  });

  it("retention passes while records are in hand: what was handed out and is gone from the log can still be committed", async () => {
    const topic = await makeTopic(server, log);
    for (const record of numbered(20)) await log.producer.produce(topic, 0, [record]);
    const watched = watchedStore();
    const { consumer, resets, reset } = await openConsumer(
      { source: log, topic, strategy: "manual", start: "earliest", maxBytes: 1 },
      watched,
    );
    const inHand: LogRecord[] = [];
    for await (const record of consumer) {
      inHand.push(record);
      if (inHand.length === 3) await log.deleteRecords(topic, 0, 15n);
      // One more may have been here already.
      if (record.offset >= 15n) break;
    }
    const { from } = await reset(1);
    expect(resets()).toMatchObject([{ to: 15n, skipped: 15n - from }]);
    // They were handed out before the reset, which is durable by now: the position does not go back for them.
    consumer.commit(inHand[0]);
    await consumer.flush();
    expect(await watched.position(topic)).toBe(15n);
    consumer.commit(inHand.at(-1));
    await consumer.flush();
    expect(await watched.position(topic)).toBe(16n);
    expect(watched.commits.at(-1)).toMatchObject({ nextOffset: 16n });
    expect(watched.commits.filter(({ rewind }) => rewind).map(({ nextOffset }) => nextOffset)).toEqual([15n]);
  });
});
