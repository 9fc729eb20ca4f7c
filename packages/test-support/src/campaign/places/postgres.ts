import type { LogRecord } from "@tidemark/core";
import { openPostgresStore } from "@tidemark/store-postgres";
import { Client, Pool, type PoolClient } from "pg";
import { byPartition, type OpenedPlace, type Place } from "./place.ts";

/** Milliseconds that a statement of a transaction may take, and after which the server ends what a frozen process has begun. */
const TRANSACTION_TIMEOUT_MS = 3_000;
const IDLE_TIMEOUT_MS = 1_000;

/** Makes the table that transactions write results to. */
export async function makePostgresSink(url: string, schema: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE SCHEMA ${schema}`);
  await client.query(
    `CREATE TABLE ${schema}.results (id bigserial PRIMARY KEY, consumer text, number integer, position integer)`,
  );
  await client.query(`CREATE INDEX ON ${schema}.results (consumer)`);
  await client.end();
}

/** Positions and results in tables of one schema. */
export async function openPostgresPlace(
  { url, schema }: Extract<Place, { kind: "postgres" }>,
  timeout: number,
): Promise<OpenedPlace> {
  const store = await openPostgresStore({ url, schema, timeout, onEvent: () => undefined });
  const pool = new Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: TRANSACTION_TIMEOUT_MS,
    query_timeout: TRANSACTION_TIMEOUT_MS,
    // What a frozen process has locked, or one behind a cut line, is free again for its successor.
    idle_in_transaction_session_timeout: IDLE_TIMEOUT_MS,
  });
  // A connection that breaks is told to whoever needs it.
  const ignore = (): void => undefined;
  pool.on("error", ignore);
  pool.on("connect", (client) => void client.on("error", ignore));
  // No identity of its own making: a record that is written twice is there twice.
  const note = (client: PoolClient, consumer: string, { partition, offset }: LogRecord): Promise<unknown> =>
    client.query(`INSERT INTO ${schema}.results (consumer, number, position) VALUES ($1, $2, $3)`, [
      consumer,
      partition,
      offset,
    ]);
  return {
    store,
    note: (client, consumer, record) => note(client as PoolClient, consumer, record),
    async transact(consumer, record, { writes, commit }) {
      const client = await pool.connect();
      let isEnded = false;
      try {
        await client.query("BEGIN");
        if (writes) await note(client, consumer, record);
        await commit(client);
        await client.query("COMMIT");
        isEnded = true;
      } finally {
        // Whatever has failed: with the connection the server ends what was open on it.
        client.release(!isEnded);
      }
    },
    async sink(consumer, partitions) {
      const { rows } = await pool.query<{ readonly partition: number; readonly offset: number }>(
        `SELECT number AS partition, position AS "offset" FROM ${schema}.results WHERE consumer = $1 ORDER BY id`,
        [consumer],
      );
      return byPartition(partitions, rows);
    },
    async close() {
      await store.close();
      await pool.end();
    },
  };
}
