/**
 * Confluent's client, at least once: the position follows the work, and after a crash the records since the last flush
 * come again.
 *
 *     BROKERS=127.0.0.1:9092 REDIS_URL=redis://127.0.0.1:6379 node at-least-once.ts TOPIC CONSUMER 0,1
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Message } from "@confluentinc/kafka-javascript";
import { type OffsetStore, openOffsetSession } from "@tidemark/core";
import { openRedisStore } from "@tidemark/store-redis";
import { readPartitions, type ReadPartitionsOptions } from "./read-partitions.ts";

type Options = Omit<ReadPartitionsOptions, "session"> & {
  readonly store: OffsetStore<never>;
  readonly consumer: string;
  readonly topic: string;
  /** What this process reads. Two processes of one consumer read different ones: the newer claim wins. */
  readonly partitions: readonly number[];
  /** Milliseconds from a commit to its flush: what comes again after a crash. Default 3,000. */
  readonly flushInterval?: number | undefined;
  /** Your work. It may be asked for the same record again, after a crash. */
  readonly handle: (message: Message) => Promise<void> | void;
};

/** Resolves after an abort; rejects with what `handle` throws, and with `OffsetFencedError` when another took over. */
export async function consumeAtLeastOnce(options: Options): Promise<void> {
  const { store, consumer, topic, partitions, flushInterval, handle } = options;
  const fenced = new AbortController();
  const signal = AbortSignal.any([options.signal, fenced.signal]);
  let isStalled = false;
  const session = await openOffsetSession({
    store,
    consumer,
    topic,
    partitions,
    // A restart need not wait for the one before it: the newest claim wins.
    sharing: "takeover",
    flushInterval,
    signal,
    onEvent({ type }) {
      // Also while no record comes: a session learns of it when it looks at its claim.
      if (type === "fenced") fenced.abort();
      if (type === "stalled" || type === "recovered") isStalled = type === "stalled";
    },
  });
  try {
    for await (const message of readPartitions({ ...options, session, signal })) {
      await handle(message);
      // Local and instant; the flush writes it. What `handle` threw at is not committed, and comes again.
      session.commit({ partition: message.partition, offset: BigInt(message.offset) });
      // The store is away for a minute already: read on when it is back.
      while (isStalled && !signal.aborted) await pause(100);
    }
  } finally {
    // The last flush.
    await session.close();
  }
  if (session.fenced !== undefined) throw session.fenced;
}

if (import.meta.main) {
  const [topic = "orders", consumer = "billing", partitions = "0"] = process.argv.slice(2);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  await using store = await openRedisStore({ url: process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379" });
  await consumeAtLeastOnce({
    brokers: (process.env["BROKERS"] ?? "127.0.0.1:9092").split(","),
    topic,
    consumer,
    store,
    partitions: partitions.split(",").map(Number),
    start: "earliest",
    resetPolicy: process.env["POLICY"] ?? "nearest",
    signal: stop.signal,
    flushInterval: Number(process.env["FLUSH_MS"] ?? 3_000),
    handle: ({ partition, offset, value }) => console.log(partition, offset, value?.toString()),
  });
}
