/**
 * Kysely, exactly once: what a batch comes to and the position after it are written in one PostgreSQL transaction.
 *
 *     BROKERS=127.0.0.1:9092 POSTGRES_URL=postgres://postgres@127.0.0.1:5432/postgres node exactly-once-kysely.ts TOPIC CONSUMER
 */
import { type ColumnType, CompiledQuery, Kysely, PostgresDialect, type Transaction } from "kysely";
import { Pool } from "pg";
import { createConsumer, type ConsumerOptions, type RecordBatch } from "@tidemark/core";
import { openKafkaLog } from "@tidemark/source-kafka";
import { openPostgresStore, type PostgresClient } from "@tidemark/store-postgres";

/** Kysely's transaction as the store takes it. */
export function fromKysely(transaction: Pick<Transaction<unknown>, "executeQuery">): PostgresClient {
  return { query: (text, values) => transaction.executeQuery(CompiledQuery.raw(text, values)) };
}

type Options<Tables> = ConsumerOptions<PostgresClient> & {
  readonly database: Kysely<Tables>;
  /** Writes what a batch comes to, by `transaction` alone. */
  readonly write: (batch: RecordBatch, transaction: Transaction<Tables>) => Promise<unknown>;
};

export async function consumeExactlyOnce<Tables>({ database, write, ...options }: Options<Tables>): Promise<void> {
  await using consumer = await createConsumer({ ...options, strategy: "manual" });
  for await (const batch of consumer.batches()) {
    await database.transaction().execute(async (transaction) => {
      await write(batch, transaction);
      // Refused if somebody else has the position by now: let it pass, and Kysely rolls your rows back.
      await consumer.commitWithin(fromKysely(transaction), batch);
    });
    // Only now: before, the transaction might have failed.
    consumer.commit(batch);
  }
}

/** The tables of the program below. */
interface ProgramTables {
  readonly results: {
    readonly partition: number;
    readonly number: ColumnType<string, bigint>;
    readonly value: string | null;
  };
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
  await using database = new Kysely<ProgramTables>({ dialect: new PostgresDialect({ pool }) });
  const made = database.schema.createTable("results").ifNotExists();
  await made.addColumn("partition", "integer").addColumn("number", "bigint").addColumn("value", "text").execute();
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
          .insertInto("results")
          .values(records.map(({ offset, value }) => ({ partition, number: offset, value: textOf(value) })))
          .execute(),
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}

function textOf(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString();
}
