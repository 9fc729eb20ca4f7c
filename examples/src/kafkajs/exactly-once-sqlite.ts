/**
 * kafkajs, exactly once: what a batch comes to and the position after it are written in one SQLite transaction.
 *
 *     BROKERS=127.0.0.1:9092 node exactly-once-sqlite.ts TOPIC CONSUMER FILE
 */
import { DatabaseSync } from "node:sqlite";
import type { KafkaMessage } from "kafkajs";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { followGroup, type FollowGroupOptions } from "./follow-group.ts";

type Options = Omit<FollowGroupOptions<DatabaseSync>, "eachBatch"> & {
  /** Has the store's file open. Nobody else may use it meanwhile. */
  readonly database: DatabaseSync;
  /** Writes what a record comes to. At once, without waiting: the transaction keeps other writers of the file away. */
  readonly write: (message: KafkaMessage, partition: number) => void;
};

export async function consumeExactlyOnce({ database, write, ...options }: Options): Promise<void> {
  await followGroup({
    ...options,
    async eachBatch({ batch, resolveOffset, heartbeat }, session) {
      const { partition, messages } = batch;
      const last = { partition, offset: BigInt(batch.lastOffset()) };
      database.exec("BEGIN IMMEDIATE");
      try {
        for (const message of messages) write(message, partition);
        // Refused if somebody else has the position by now: then the rows must not be there either.
        await session.commitWithin(database, last);
        database.exec("COMMIT");
      } catch (error) {
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
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
  const [topic = "orders", consumer = "billing", file = "app.db"] = process.argv.slice(2);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  await using store = await openSqliteStore({ file });
  using database = new DatabaseSync(file, { timeout: 5_000 });
  database.exec("CREATE TABLE IF NOT EXISTS results (place INTEGER, number INTEGER, value TEXT)");
  const insert = database.prepare("INSERT INTO results VALUES (?, ?, ?)");
  await consumeExactlyOnce({
    brokers: (process.env["BROKERS"] ?? "127.0.0.1:9092").split(","),
    topic,
    consumer,
    store,
    database,
    group: process.env["GROUP"],
    resetPolicy: "nearest",
    signal: stop.signal,
    write: ({ offset, value }, partition) => insert.run(partition, offset, value?.toString() ?? null),
  });
}
