/**
 * Confluent's client, exactly once: what a record comes to and the position after it are written in one SQLite transaction.
 *
 *     BROKERS=127.0.0.1:9092 node exactly-once-sqlite.ts TOPIC CONSUMER FILE 0,1
 */
import { DatabaseSync } from "node:sqlite";
import type { Message } from "@confluentinc/kafka-javascript";
import { type OffsetStore, openOffsetSession } from "@tidemark/core";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { readPartitions, type ReadPartitionsOptions } from "./read-partitions.ts";

type Options = Omit<ReadPartitionsOptions, "session"> & {
  readonly store: OffsetStore<DatabaseSync>;
  readonly consumer: string;
  readonly topic: string;
  /** What this process reads. */
  readonly partitions: readonly number[];
  /** Has the store's file open. Nobody else may use it meanwhile. */
  readonly database: DatabaseSync;
  /** Writes what a record comes to. At once, without waiting: the transaction keeps other writers of the file away. */
  readonly write: (message: Message) => void;
};

/** Resolves after an abort; rejects with what `write` throws, and with `OffsetFencedError` when another took over. */
export async function consumeExactlyOnce(options: Options): Promise<void> {
  const { store, consumer, topic, partitions, database, write } = options;
  const fenced = new AbortController();
  const signal = AbortSignal.any([options.signal, fenced.signal]);
  const session = await openOffsetSession({
    store,
    consumer,
    topic,
    partitions,
    // A restart need not wait for the one before it: the newest claim wins.
    sharing: "takeover",
    signal,
    onEvent: ({ type }) => void (type === "fenced" && fenced.abort()),
  });
  try {
    for await (const message of readPartitions({ ...options, session, signal })) {
      const position = { partition: message.partition, offset: BigInt(message.offset) };
      database.exec("BEGIN IMMEDIATE");
      try {
        write(message);
        // Refused if somebody else has the position by now: then the rows must not be there either.
        await session.commitWithin(database, position);
        database.exec("COMMIT");
      } catch (error) {
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
      // Only now: before, the transaction might have failed.
      session.commit(position);
    }
  } finally {
    await session.close();
  }
  if (session.fenced !== undefined) throw session.fenced;
}

if (import.meta.main) {
  const [topic = "orders", consumer = "billing", file = "app.db", partitions = "0"] = process.argv.slice(2);
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
    partitions: partitions.split(",").map(Number),
    resetPolicy: "nearest",
    signal: stop.signal,
    write: ({ partition, offset, value }) => insert.run(partition, offset, value?.toString() ?? null),
  });
}
