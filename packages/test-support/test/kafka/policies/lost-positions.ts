import type { KafkaLog } from "@tidemark/source-kafka";
import { vi } from "vitest";
import { boundsOf, makeTopic, numbered, recreateTopic } from "./kafka-topics.ts";

const MINUTE_MS = 60_000;
/** The records' times: offsets 0 to 11 an hour ago, 12 to 15 half an hour ago, 16 to 19 a minute ago; each a second after the one before. */
const NOW_MS = Date.now();
const timeOf = (offset: number): number => {
  const agoMs = offset < 12 ? 60 * MINUTE_MS : offset < 16 ? 30 * MINUTE_MS : MINUTE_MS;
  return NOW_MS - agoMs + offset * 1_000;
};
/** Of a topic made again: offsets 0 to 3 half an hour ago, 4 to 7 a minute ago. */
const timeOfNew = (offset: number): number => NOW_MS - (offset < 4 ? 30 : 1) * MINUTE_MS + offset * 1_000;

/** Lies between two records: after 13 and before 14; after 1 and before 2 of a topic made again. */
export const BETWEEN_MS = { old: timeOf(14) - 500, new: timeOfNew(2) - 500 };

/** How a topic came to lack the stored position. */
export interface LostPosition {
  /** What was stored in every partition before that. */
  readonly stored: bigint;
  readonly earliest: bigint;
  readonly latest: bigint;
  /** Makes the topic, with partitions that are all in the same state. */
  prepare(server: { readonly urls: readonly string[] }, log: KafkaLog, partitions: number): Promise<string>;
}

async function fill(log: KafkaLog, topic: string, partitions: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition += 1) {
    const records = numbered(20, timeOf);
    // Batches of their own, so that a segment ends where the times leap.
    for (const batch of [records.slice(0, 12), records.slice(12, 16), records.slice(16)]) {
      await log.producer.produce(topic, partition, batch);
    }
  }
}

async function deleteBefore(log: KafkaLog, topic: string, partitions: number, offset: bigint): Promise<void> {
  for (let partition = 0; partition < partitions; partition += 1) await log.deleteRecords(topic, partition, offset);
}

/** DeleteRecords took the records below 12 of 20. */
const deletedBelow: LostPosition = {
  stored: 5n,
  earliest: 12n,
  latest: 20n,
  async prepare(server, log, partitions) {
    const topic = await makeTopic(server, log, partitions);
    await fill(log, topic, partitions);
    await deleteBefore(log, topic, partitions, 12n);
    return topic;
  },
};

/** Retention took the segment that was older than 45 minutes. */
const retention: LostPosition = {
  stored: 5n,
  earliest: 12n,
  latest: 20n,
  async prepare(server, log, partitions) {
    const topic = await makeTopic(server, log, partitions, {
      "retention.ms": String(45 * MINUTE_MS),
      "segment.ms": "60000",
    });
    await fill(log, topic, partitions);
    for (let partition = 0; partition < partitions; partition += 1) {
      await vi.waitUntil(async () => (await boundsOf(log, topic, partition))[0] === 12n, { timeout: 20_000 });
    }
    return topic;
  },
};

/** The topic was deleted, made again, and has 8 records now. */
const recreatedShorter: LostPosition = {
  stored: 50n,
  earliest: 0n,
  latest: 8n,
  async prepare(server, log, partitions) {
    const topic = await makeTopic(server, log, partitions);
    for (let partition = 0; partition < partitions; partition += 1) {
      await log.producer.produce(topic, partition, numbered(60));
    }
    await recreateTopic(server, topic, partitions);
    for (let partition = 0; partition < partitions; partition += 1) {
      await log.producer.produce(topic, partition, numbered(8, timeOfNew));
    }
    return topic;
  },
};

/** All 20 records were deleted. */
const emptied: LostPosition = {
  stored: 5n,
  earliest: 20n,
  latest: 20n,
  async prepare(server, log, partitions) {
    const topic = await makeTopic(server, log, partitions);
    await fill(log, topic, partitions);
    await deleteBefore(log, topic, partitions, 20n);
    return topic;
  },
};

/** The topic was made again and nothing was ever written to it. */
const empty: LostPosition = {
  stored: 5n,
  earliest: 0n,
  latest: 0n,
  prepare: (server, log, partitions) => makeTopic(server, log, partitions),
};

/** All of them, by what happened. */
export const lostPositions = {
  "records deleted below": deletedBelow,
  "records removed by retention": retention,
  "topic made again shorter": recreatedShorter,
  "partition emptied": emptied,
  "log empty": empty,
} as const;
