import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { OffsetStore } from "@tidemark/core";
import { openKafkaLog } from "@tidemark/source-kafka";
import { openRedisStore } from "@tidemark/store-redis";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { describeWithServer, launchOrSkip } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { startWriter } from "./acknowledged-writer.ts";
import { type KillableConsumer, type Processed, startKillableConsumer } from "./killable-consumer.ts";

const PARTITIONS = 3;
const FLUSH_INTERVAL_MS = 100;
// A flush is late by what the machine takes: the write itself, and the other tests beside it.
const LATE_FLUSH_MS = 4_000;
const MAX_LIFE_MS = 400;

interface Side {
  readonly consumer: string;
  readonly store: OffsetStore<unknown>;
  start(run: number): KillableConsumer;
  /** All that was worked on, in all runs. */
  readonly seen: Map<bigint, string>[];
  repeats: number;
}

await describeWithServer("redis", (redis) => {
  it("consumers that are killed with their broker, beside it, and while it is down, lose nothing and repeat what was not flushed", async ({
    skip,
  }) => {
    const server = await launchOrSkip("kafka", skip);
    onTestFinished(() => server.stop());
    const folder = await mkdtemp(join(tmpdir(), "tidemark-kafka-kill-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const topic = `faults-${randomUUID()}`;
    const namespace = `test-${randomUUID()}`;
    const file = join(folder, "offsets.db");
    const log = await openKafkaLog({ brokers: [new URL(server.url).host], timeout: 180_000, connectTimeout: 60_000 });
    onTestFinished(() => log.close());
    await log.admin.createTopic(topic, { partitions: PARTITIONS });
    const sideOf = (consumer: string, storeUrl: string, store: OffsetStore<unknown>): Side => {
      onTestFinished(async () => {
        await store.delete({ consumer });
        await store.close();
      });
      return {
        consumer,
        store,
        seen: Array.from({ length: PARTITIONS }, () => new Map<bigint, string>()),
        repeats: 0,
        start: (run) =>
          startKillableConsumer({
            logUrl: server.url,
            ...{ storeUrl, namespace, topic, consumer },
            flushIntervalMs: FLUSH_INTERVAL_MS,
            processedFile: join(folder, `${consumer}-${run}`),
          }),
      };
    };
    const sides = [
      sideOf("on-sqlite", `sqlite:${file}`, await openSqliteStore({ file, namespace })),
      sideOf("on-redis", redis.url, await openRedisStore({ url: redis.url, namespace, onEvent: () => undefined })),
    ];
    const writer = startWriter(log, topic, PARTITIONS);
    let runs = 0;
    /** Runs both consumers until something has happened to them, and looks at what they did and stored. */
    const run = async (happens: (consumers: readonly KillableConsumer[]) => Promise<void>): Promise<void> => {
      const before = await Promise.all(sides.map((side) => positionsOf(side, topic)));
      const consumers = sides.map((side) => side.start(runs));
      runs += 1;
      await Promise.all(consumers.map(({ begun }) => begun));
      await happens(consumers);
      for (const [index, side] of sides.entries()) {
        const after = await positionsOf(side, topic);
        expectRun(side, consumers[index]?.processed() ?? [], before[index] ?? [], after);
      }
    };
    const kill = async (consumers: readonly KillableConsumer[]): Promise<void> => {
      await Promise.all(consumers.map((consumer) => consumer.kill()));
    };

    // Until kills fell in the middle of something: between two flushes, with records worked on.
    do {
      await run(async (consumers) => {
        await pause(Math.random() * MAX_LIFE_MS);
        await kill(consumers);
      });
    } while (sides.some(({ repeats }) => repeats === 0));
    await run(async (consumers) => {
      await Promise.all([server.kill(), pause(Math.random() * MAX_LIFE_MS).then(() => kill(consumers))]);
      await server.restart();
    });
    await run(async (consumers) => {
      const counts = consumers.map((consumer) => consumer.processed().length);
      await server.kill();
      await server.restart();
      await vi.waitUntil(
        () => consumers.every((consumer, index) => consumer.processed().length > (counts[index] ?? 0) + 50),
        { timeout: 120_000 },
      );
      await kill(consumers);
    });
    // A broker that never answers holds nobody back who wants to leave.
    await run(async (consumers) => {
      server.pause();
      const ends = await Promise.all(consumers.map((consumer) => consumer.close()));
      server.resume();
      expect(ends).toEqual(consumers.map(() => ({ code: 0, signal: null })));
    });
    await run(async (consumers) => {
      await writer.stop();
      const total = writer.acknowledged.reduce((sum, { size }) => sum + size, 0);
      await vi.waitUntil(
        () =>
          consumers.every((consumer, index) => {
            const all = sides[index]?.seen.map((values) => new Set(values.keys())) ?? [];
            for (const { partition, offset } of consumer.processed()) all[partition]?.add(offset);
            return all.reduce((sum, { size }) => sum + size, 0) >= total;
          }),
        { timeout: 120_000, interval: 100 },
      );
      const ends = await Promise.all(consumers.map((consumer) => consumer.close()));
      expect(ends).toEqual(consumers.map(() => ({ code: 0, signal: null })));
    });
    expect(writer.unanswered).toBe(0);
    for (const { seen } of sides) expect(seen).toEqual(writer.acknowledged);
  });
});

async function positionsOf({ store, consumer }: Side, topic: string): Promise<bigint[]> {
  const outcomes = await store.fetch(
    Array.from({ length: PARTITIONS }, (_, partition) => ({ consumer, topic, partition })),
  );
  return outcomes.map((outcome) => {
    if (outcome.status === "failed") throw outcome.error;
    return outcome.status === "found" ? (outcome.record.nextOffset ?? 0n) : 0n;
  });
}

function expectRun(
  side: Side,
  processed: readonly Processed[],
  before: readonly bigint[],
  after: readonly bigint[],
): void {
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const [began = 0n, stored = 0n] = [before[partition], after[partition]];
    const mine = processed.filter((record) => record.partition === partition);
    // It began where the store said, and read on without a gap.
    mine.forEach(({ offset }, index) => expect(offset).toBe(began + BigInt(index)));
    for (const { offset, value } of mine) side.seen[partition]?.set(offset, value);
    expect(stored).toBeGreaterThanOrEqual(began);
    // What was worked on may not be stored; never the other way round.
    expect(stored).toBeLessThanOrEqual(began + BigInt(mine.length));
    const again = mine.filter(({ offset }) => offset >= stored);
    side.repeats += again.length;
    const [oldest] = again;
    const last = processed.at(-1);
    if (oldest !== undefined && last !== undefined && again.length > 1) {
      expect(last.atMs - oldest.atMs).toBeLessThanOrEqual(FLUSH_INTERVAL_MS + LATE_FLUSH_MS);
    }
  }
}
