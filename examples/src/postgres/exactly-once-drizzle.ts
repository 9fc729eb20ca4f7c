/**
 * Drizzle, exactly once: what a batch comes to and the position after it are written in one PostgreSQL transaction.
 *
 *     BROKERS=127.0.0.1:9092 POSTGRES_URL=postgres://postgres@127.0.0.1:5432/postgres node exactly-once-drizzle.ts TOPIC CONSUMER
 */
import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { bigint, integer, pgTable, text } from "drizzle-orm/pg-core";
import { Pool } from "pg";
import { createConsumer, type ConsumerOptions, type RecordBatch } from "@tidemark/core";
import { openKafkaLog } from "@tidemark/source-kafka";
import { openPostgresStore, type PostgresClient } from "@tidemark/store-postgres";

/** What `database.transaction` gives. */
type Transaction = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];

/** Drizzle's transaction as the store takes it: the text, with each `$1` replaced by its value. */
export function fromDrizzle(transaction: Transaction): PostgresClient {
  const partOf = (part: string, at: number, values: unknown[]) =>
    at % 2 === 0 ? sql.raw(part) : sql.param(values[Number(part) - 1]);
  return {
    query: (statement, values) =>
      transaction.execute(sql.join(statement.split(/\$(\d+)/u).map((part, at) => partOf(part, at, values)))),
  };
}

type Options = ConsumerOptions<PostgresClient> & {
  readonly database: NodePgDatabase;
  /** Writes what a batch comes to, by `transaction` alone. */
  readonly write: (batch: RecordBatch, transaction: Transaction) => Promise<unknown>;
};

export async function consumeExactlyOnce({ database, write, ...options }: Options): Promise<void> {
  await using consumer = await createConsumer({ ...options, strategy: "manual" });
  for await (const batch of consumer.batches()) {
    await database.transaction(async (transaction) => {
      await write(batch, transaction);
      // Refused if somebody else has the position by now: let it pass, and Drizzle rolls your rows back.
      await consumer.commitWithin(fromDrizzle(transaction), batch);
    });
    // Only now: before, the transaction might have failed.
    consumer.commit(batch);
  }
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  const [topic = "orders", consumer = "billing"] = process.argv.slice(2);
  const url = process.env["POSTGRES_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres";
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  await using log = await openKafkaLog({ brokers: (process.env["BROKERS"] ?? "127.0.0.1:9092").split(",") });
  await using store = await openPostgresStore({ url });
  // Your own pool, never the store's. A process that hangs in a transaction keeps its rows locked for 10 s at most.
  const pool = new Pool({ connectionString: url, idle_in_transaction_session_timeout: 10_000 });
  pool.on("error", (error) => console.warn(error.message));
  const database = drizzle(pool);
  const results = pgTable("results", {
    partition: integer().notNull(),
    number: bigint({ mode: "bigint" }).notNull(),
    value: text(),
  });
  await database.execute(sql`CREATE TABLE IF NOT EXISTS ${results} (partition integer, number bigint, value text)`);
  try {
    await consumeExactlyOnce({
      source: log,
      topic,
      store,
      consumer,
      database,
      signal: stop.signal,
      write: ({ partition, records }, transaction) =>
        transaction
          .insert(results)
          .values(records.map(({ offset, value }) => ({ partition, number: offset, value: textOf(value) }))),
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    await pool.end();
  }
}

function textOf(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString();
}
