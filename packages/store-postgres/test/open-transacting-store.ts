import type { OffsetStore } from "@tidemark/core";
import type { Client } from "pg";
import type { PostgresClient, PostgresStoreOptions } from "../src/index.ts";
import { key, openClient, openStore, ownSchema } from "./open-store.ts";

/** A store that has `transact`. */
export type TransactingStore = OffsetStore<PostgresClient> & Required<Pick<OffsetStore<PostgresClient>, "transact">>;

/** A transaction of one record, or of several. */
export const transactionOf = (from: bigint, nextOffset = from + 1n) => ({ key, token: "t", from, nextOffset });

/** What tests of the store's own transactions begin with. */
export interface TransactingSetUp {
  readonly store: TransactingStore;
  readonly namespace: string;
  readonly schema: string;
  readonly client: Client;
  /** Writes a row into the table of results. */
  insert(transaction: PostgresClient): Promise<unknown>;
  countResults(): Promise<number>;
}

/** A store with a claim and a position, and a table of results. */
export async function openTransacting(
  url: string,
  options: Partial<PostgresStoreOptions> = {},
): Promise<TransactingSetUp> {
  const schema = await ownSchema(url);
  const opened = { url, schema, ...options } as PostgresStoreOptions;
  const { store, namespace } = await openStore(opened);
  await store.claim([{ key, token: "t", owner: "o" }]);
  const client = await openClient(url);
  await client.query(`CREATE TABLE ${schema}.results (id serial PRIMARY KEY, total integer)`);
  return {
    store: transacting(store),
    namespace,
    schema,
    client,
    insert: (transaction) => transaction.query(`INSERT INTO ${schema}.results (total) VALUES ($1)`, [99]),
    countResults: async () => (await client.query(`SELECT FROM ${schema}.results`)).rows.length,
  };
}

/** That a store has transactions of its own. */
export function transacting(store: OffsetStore<PostgresClient>): TransactingStore {
  const { transact } = store;
  if (transact === undefined) throw new Error("the store has no transact");
  return store as TransactingStore;
}
