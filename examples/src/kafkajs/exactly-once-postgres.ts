/**
 * kafkajs, exactly once: what a batch comes to and the position after it are written in one PostgreSQL transaction.
 *
 *     BROKERS=127.0.0.1:9092 POSTGRES_URL=postgres://postgres@127.0.0.1:5432/postgres node exactly-once-postgres.ts TOPIC CONSUMER
 */
import type { KafkaMessage } from "kafkajs";
import { Client } from "pg";
import { openPostgresStore, type PostgresClient } from "@tidemark/store-postgres";
import { followGroup, type FollowGroupOptions } from "./follow-group.ts";

type Options = Omit<FollowGroupOptions<PostgresClient>, "eachBatch"> & {
  /** Writes what a batch comes to, by `transaction` alone. It may be asked for the same batch again. */
  readonly write: (
    messages: readonly KafkaMessage[],
    partition: number,
    transaction: PostgresClient,
  ) => Promise<unknown>;
};

export async function consumeExactlyOnce({ write, ...options }: Options): Promise<void> {
  await followGroup({
    ...options,
    async eachBatch({ batch, resolveOffset, heartbeat }, session) {
      const { partition, messages } = batch;
      // The first and the last stand for all between them. The last may be a transaction's marker, which kafkajs does not hand out.
      const ends = new Set([batch.firstOffset() ?? batch.lastOffset(), batch.lastOffset()]);
      const records = Array.from(ends, (offset) => ({ partition, offset: BigInt(offset) }));
      // Rejects if somebody else has the position by now: then nothing of the batch is written.
      await session.transact(records, (transaction) => write(messages, partition, transaction));
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
  const [topic = "orders", consumer = "billing"] = process.argv.slice(2);
  const url = process.env["POSTGRES_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres";
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query("CREATE TABLE IF NOT EXISTS results (partition integer, number bigint, value text)");
  await client.end();
  await using store = await openPostgresStore({ url });
  await consumeExactlyOnce({
    brokers: (process.env["BROKERS"] ?? "127.0.0.1:9092").split(","),
    topic,
    consumer,
    store,
    group: process.env["GROUP"],
    resetPolicy: "nearest",
    signal: stop.signal,
    async write(messages, partition, transaction) {
      const [offsets, values] = [messages.map(({ offset }) => offset), messages.map(({ value }) => value?.toString())];
      const insert = "INSERT INTO results SELECT $1, * FROM unnest($2::bigint[], $3::text[])";
      await transaction.query(insert, [partition, offsets, values]);
    },
  });
}
