import { DatabaseSync } from "node:sqlite";
import type { OffsetStore } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { openPostgresStore } from "@tidemark/store-postgres";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { MongoClient } from "mongodb";
import { Client } from "pg";

/** A database that has the results and their positions in one place. */
export interface Backend<Transaction> {
  readonly store: OffsetStore<Transaction>;
  /** Adds results in a transaction of the store's own, a part of them with each statement. */
  write(transaction: Transaction, numbers: readonly number[]): void | Promise<void>;
  /** All results, in any order. */
  results(): Promise<number[]>;
  /** Closes it; `drop` takes away what it wrote, too. */
  close(options?: { drop: boolean }): Promise<void>;
}

const STATEMENTS = 5;

function* parts(numbers: readonly number[]): Generator<readonly number[]> {
  const size = Math.ceil(numbers.length / STATEMENTS);
  for (let from = 0; from < numbers.length; from += size) yield numbers.slice(from, from + size);
}

async function openPostgres(url: string, schema: string) {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
  await client.query(`CREATE TABLE IF NOT EXISTS ${schema}.results (number integer NOT NULL)`);
  const store = await openPostgresStore({ url, schema });
  return backend(store, {
    async write(transaction, numbers) {
      const insert = `INSERT INTO ${schema}.results SELECT unnest($1::integer[])`;
      for (const part of parts(numbers)) await transaction.query(insert, [part]);
    },
    async results() {
      const { rows } = await client.query<{ number: number }>(`SELECT number FROM ${schema}.results`);
      return rows.map(({ number }) => number);
    },
    async close({ drop } = { drop: false }) {
      await store.close();
      if (drop) await client.query(`DROP SCHEMA ${schema} CASCADE`);
      await client.end();
    },
  });
}

async function openMongo(url: string, database: string) {
  const client = await MongoClient.connect(url);
  const db = client.db(database);
  // It must be there before a transaction writes to it.
  const isThere = (await db.listCollections({ name: "results" }).toArray()).length > 0;
  if (!isThere) await db.createCollection("results");
  const collection = db.collection<{ number: number }>("results");
  const store = await openMongoStore({ client, database });
  return backend(store, {
    async write(session, numbers) {
      for (const part of parts(numbers)) {
        await collection.insertMany(
          part.map((number) => ({ number })),
          { session },
        );
      }
    },
    async results() {
      return (await collection.find().toArray()).map(({ number }) => number);
    },
    async close({ drop } = { drop: false }) {
      await store.close();
      if (drop) await db.dropDatabase();
      await client.close();
    },
  });
}

async function openSqlite(file: string) {
  const reader = new DatabaseSync(file, { timeout: 10_000 });
  reader.exec("CREATE TABLE IF NOT EXISTS results (number INTEGER NOT NULL) STRICT");
  const store = await openSqliteStore({ file, synchronous: "normal" });
  return backend(store, {
    write(database, numbers) {
      const insert = database.prepare("INSERT INTO results VALUES (?)");
      for (const number of numbers) insert.run(number);
    },
    async results() {
      return reader
        .prepare("SELECT number FROM results")
        .all()
        .map(({ number }) => Number(number));
    },
    async close() {
      await store.close();
      reader.close();
    },
  });
}

/** Lets the store say what its transactions are. */
function backend<Transaction>(
  store: OffsetStore<Transaction>,
  rest: Omit<Backend<Transaction>, "store">,
): Backend<Transaction> {
  return { store, ...rest };
}

/** Opens one by its name; `place` is a schema, a database, or a file. */
export const backends = {
  postgres: openPostgres,
  mongo: openMongo,
  sqlite: (_: string, place: string) => openSqlite(place),
};
