import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createConsumer, type LogRecord, type LogSource, type OffsetStore } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { openPostgresStore } from "@tidemark/store-postgres";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { createMemorySource } from "@tidemark/test-support";
import { startTransactionGateway } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { Client } from "pg";
import { type Comparison, compare } from "./paired.ts";
import { withServer } from "./server.ts";

const ROUNDS = 11;
const BATCH = 500;

/** `transact` of whole batches against one transaction for each record: results and position together, in both. */
export async function compareTransact(): Promise<Comparison[]> {
  return [...(await onSqlite()), ...(await onPostgres()), ...(await onMongo())];
}

async function onSqlite(): Promise<Comparison[]> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-benchmark-"));
  const file = join(folder, "store.db");
  try {
    await using store = await openSqliteStore({ file });
    using database = new DatabaseSync(file);
    database.exec("CREATE TABLE results (number INTEGER)");
    return [
      await compareBatches({
        ...{ name: "SQLite store (synchronous=full)", store, batches: 20, records: 1_000 },
        insert: (transaction, numbers) => {
          const insert = transaction.prepare("INSERT INTO results VALUES (?)");
          for (const number of numbers) insert.run(number);
        },
      }),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function onPostgres(): Promise<Comparison[]> {
  return await withServer("postgres", async ({ url, version }) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      await client.query("CREATE TABLE results (number integer)");
      await using store = await openPostgresStore({ url });
      return [
        await compareBatches({
          ...{ name: `PostgreSQL store (${version})`, store, batches: 20, records: 500 },
          insert: async (transaction, numbers) => {
            await transaction.query("INSERT INTO results SELECT unnest($1::integer[])", [numbers]);
          },
        }),
      ];
    } finally {
      await client.end();
    }
  });
}

/** On the transaction gateway of the tests: FerretDB itself has none. */
async function onMongo(): Promise<Comparison[]> {
  return await withServer("mongo", async ({ url, engineUrl, version }) => {
    if (engineUrl === undefined) return [];
    const gateway = await startTransactionGateway({ url, engineUrl });
    const client = new MongoClient(gateway.url);
    try {
      const results = await client.db("benchmark").createCollection<{ number: number }>("results");
      await using store = await openMongoStore({ client, database: "benchmark" });
      return [
        await compareBatches({
          ...{ name: `MongoDB store (${version}, the tests' transaction gateway)`, store, batches: 4, records: 100 },
          insert: async (session, numbers) => {
            await results.insertMany(
              numbers.map((number) => ({ number })),
              { session },
            );
          },
        }),
      ];
    } finally {
      await client.close();
      await gateway.close();
    }
  });
}

interface Transacting<Transaction> {
  readonly name: string;
  readonly store: OffsetStore<Transaction>;
  /** How many batches one side makes, one after the other, and how many single records the other. */
  readonly batches: number;
  readonly records: number;
  readonly insert: (transaction: Transaction, numbers: readonly number[]) => Promise<void> | void;
}

async function compareBatches<Transaction>(options: Transacting<Transaction>): Promise<Comparison> {
  const { name, store, batches, records, insert } = options;
  const many = await sourceOf(batches * BATCH);
  const few = await sourceOf(records);
  let readers = 0;
  const consumerOf = async (source: LogSource) => {
    readers += 1;
    return createConsumer({ source, store, topic: "benchmark", consumer: `reader-${readers}`, untilEnd: true });
  };
  return await compare(
    `${name}, records of transact() on a batch of ${BATCH}, against one transaction for each`,
    ROUNDS,
    async () => {
      const consumer = await consumerOf(many);
      let count = 0;
      for await (const batch of consumer.batches({ maxRecords: BATCH })) {
        await consumer.transact(batch, (transaction) => insert(transaction, batch.records.map(numberOf)));
        count += batch.records.length;
      }
      await consumer.close();
      return checked(count, batches * BATCH);
    },
    async () => {
      const consumer = await consumerOf(few);
      let count = 0;
      for await (const record of consumer) {
        await consumer.transact(record, (transaction) => insert(transaction, [numberOf(record)]));
        count += 1;
      }
      await consumer.close();
      return checked(count, records);
    },
  );
}

async function sourceOf(records: number): Promise<LogSource> {
  const source = createMemorySource();
  await source.admin.createTopic("benchmark", { partitions: 1 });
  const value = Buffer.from("x");
  await source.producer.produce(
    "benchmark",
    0,
    Array.from({ length: records }, () => ({ value })),
  );
  return source;
}

function numberOf({ offset }: LogRecord): number {
  return Number(offset);
}

function checked(count: number, expected: number): number {
  if (count !== expected) throw new Error(`read ${count} of ${expected} records`);
  return count;
}
