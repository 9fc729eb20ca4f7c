/**
 * kafkajs, at least once: the position follows the work, and after a crash the records since the last flush come again.
 *
 *     BROKERS=127.0.0.1:9092 REDIS_URL=redis://127.0.0.1:6379 node at-least-once.ts TOPIC CONSUMER
 *
 * Start it twice, and the Kafka group shares the partitions out.
 */
import type { KafkaMessage } from "kafkajs";
import { openRedisStore } from "@tidemark/store-redis";
import { followGroup, type FollowGroupOptions } from "./follow-group.ts";

type Options = Omit<FollowGroupOptions<never>, "eachBatch"> & {
  /** Your work. It may be asked for the same record again: after a crash, and when it threw. */
  readonly handle: (message: KafkaMessage, partition: number) => Promise<void> | void;
};

export async function consumeAtLeastOnce({ handle, ...options }: Options): Promise<void> {
  await followGroup({
    ...options,
    async eachBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }, session) {
      const { partition, messages } = batch;
      try {
        for (const message of messages) {
          if (!isRunning() || isStale()) return;
          await handle(message, partition);
          session.commit({ partition, offset: BigInt(message.offset) });
          resolveOffset(message.offset);
          await heartbeat();
        }
        // Past a transaction's marker too, which kafkajs does not hand out.
        session.commit({ partition, offset: BigInt(batch.lastOffset()) });
      } finally {
        // Also when the heartbeat says that the group changes: whoever gets the partition begins where we end.
        await session.flush();
      }
    },
  });
}

if (import.meta.main) {
  await main();
  // kafkajs 2.2.4 leaves a connection open after a broker was away, and that would keep the process alive.
  process.exit();
}

async function main(): Promise<void> {
  const [topic = "orders", consumer = "billing"] = process.argv.slice(2);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  await using store = await openRedisStore({ url: process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379" });
  await consumeAtLeastOnce({
    brokers: (process.env["BROKERS"] ?? "127.0.0.1:9092").split(","),
    topic,
    consumer,
    store,
    group: process.env["GROUP"],
    start: "earliest",
    resetPolicy: process.env["POLICY"] ?? "nearest",
    signal: stop.signal,
    handle: ({ offset, value }, partition) => console.log(partition, offset, value?.toString()),
  });
}
