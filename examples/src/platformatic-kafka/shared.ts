/**
 * @platformatic/kafka, several processes under one name: they divide the partitions, each record is handled by one of them.
 *
 *     BROKERS=127.0.0.1:9092 REDIS_URL=redis://127.0.0.1:6379 node shared.ts TOPIC CONSUMER 0,1
 */
import { openRedisStore } from "@tidemark/store-redis";
import { sharePartitions } from "../kafka-clients/share-partitions.ts";
import { readPartitions } from "./read-partitions.ts";

const [topic = "orders", consumer = "billing", partitions = "0"] = process.argv.slice(2);
const brokers = (process.env["BROKERS"] ?? "127.0.0.1:9092").split(",");
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
await using store = await openRedisStore({ url: process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379" });
await sharePartitions({
  store,
  topic,
  consumer,
  partitions: partitions.split(",").map(Number),
  flushInterval: Number(process.env["FLUSH_MS"] ?? 3_000),
  signal: stop.signal,
  read: (session, signal) => readPartitions({ brokers, session, signal, start: "earliest", resetPolicy: "nearest" }),
  handle(message, session) {
    console.log(message.partition, String(message.offset), message.value?.toString());
    // Local and instant; the flush writes it.
    session.commit(message);
  },
});
