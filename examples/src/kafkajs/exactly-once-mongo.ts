/**
 * kafkajs, exactly once: what a batch comes to and the position after it are written in one MongoDB transaction.
 *
 *     BROKERS=127.0.0.1:9092 MONGODB_URL=mongodb://127.0.0.1:27017/?replicaSet=rs0 node exactly-once-mongo.ts TOPIC CONSUMER
 *
 * MongoDB has transactions on a replica set or a sharded cluster.
 */
import type { KafkaMessage } from "kafkajs";
import { type ClientSession, MongoClient } from "mongodb";
import { openMongoStore } from "@tidemark/store-mongo";
import { followGroup, type FollowGroupOptions } from "./follow-group.ts";

type Options = Omit<FollowGroupOptions<ClientSession>, "eachBatch"> & {
  /** The store's own client. */
  readonly client: MongoClient;
  /** Writes what a batch comes to, every write with `{ session }`. The driver may ask for it again: a transaction that met
   * another is rolled back and repeated. */
  readonly write: (messages: readonly KafkaMessage[], partition: number, session: ClientSession) => Promise<void>;
};

export async function consumeExactlyOnce({ client, write, ...options }: Options): Promise<void> {
  await followGroup({
    ...options,
    async eachBatch({ batch, resolveOffset, heartbeat }, session) {
      const { partition, messages } = batch;
      const last = { partition, offset: BigInt(batch.lastOffset()) };
      await client.withSession((transaction) =>
        transaction.withTransaction(async () => {
          await write(messages, partition, transaction);
          // Refused if somebody else has the position by now: let it pass, and the driver rolls your writes back.
          await session.commitWithin(transaction, last);
        }),
      );
      // Only now: before, the transaction might have failed.
      session.commit(last);
      resolveOffset(batch.lastOffset());
      await heartbeat();
    },
  });
}

if (import.meta.main) {
  await main();
  // kafkajs 2.2.4 leaves a connection open after a broker was away, and that would keep the process alive.
  process.exit();
}

async function main(): Promise<void> {
  const [topic = "orders", consumer = "billing", database = "app"] = process.argv.slice(2);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  await using client = await MongoClient.connect(
    process.env["MONGODB_URL"] ?? "mongodb://127.0.0.1:27017/?replicaSet=rs0",
  );
  // Longer than MongoDB keeps the transaction of a process that died, and with it the lock on the position: a minute.
  await using store = await openMongoStore({ client, database, timeout: 90_000 });
  const results = client.db(database).collection("results");
  await consumeExactlyOnce({
    brokers: (process.env["BROKERS"] ?? "127.0.0.1:9092").split(","),
    topic,
    consumer,
    store,
    client,
    group: process.env["GROUP"],
    resetPolicy: "nearest",
    signal: stop.signal,
    async write(messages, partition, session) {
      const rows = messages.map(({ offset, value }) => ({ partition, offset, value: value?.toString() ?? null }));
      await results.insertMany(rows, { session });
    },
  });
}
