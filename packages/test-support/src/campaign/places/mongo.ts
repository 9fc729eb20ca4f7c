import { setTimeout as pause } from "node:timers/promises";
import type { LogRecord, OffsetStore } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { type ClientSession, MongoClient } from "mongodb";
import { byPartition, type OpenedPlace, type Place } from "./place.ts";

// The driver would repeat a commit whose outcome nobody can tell for two minutes; reading the position tells it at once.
const TRANSACTION_TIMEOUT_MS = 3_000;

/** Positions in MongoDB, and results in a collection of the same database. */
export async function openMongoPlace(
  { url, database }: Extract<Place, { kind: "mongo" }>,
  timeout: number,
): Promise<OpenedPlace> {
  const client = new MongoClient(url, {
    serverSelectionTimeoutMS: timeout,
    connectTimeoutMS: timeout,
    socketTimeoutMS: TRANSACTION_TIMEOUT_MS,
  });
  const results = client.db(database).collection<{ consumer: string; partition: number; offset: number }>("results");
  let store: OffsetStore<ClientSession>;
  try {
    store = await openMongoStore({ client, database, timeout, onEvent: () => undefined });
  } catch (error) {
    await client.close();
    throw error;
  }
  let session: ClientSession | undefined;
  // No identity of its own making: a record that is written twice is there twice.
  const note = (open: ClientSession, consumer: string, { partition, offset }: LogRecord): Promise<unknown> =>
    results.insertOne({ consumer, partition, offset: Number(offset) }, { session: open });
  return {
    store,
    note: (open, consumer, record) => note(open as ClientSession, consumer, record),
    async transact(consumer, record, { writes, commit }) {
      session ??= client.startSession();
      const transaction = session.withTransaction(async (open) => {
        if (writes) await note(open, consumer, record);
        await commit(open);
      });
      const late = pause(TRANSACTION_TIMEOUT_MS).then(() => {
        throw new Error(`the transaction did not end within ${TRANSACTION_TIMEOUT_MS} ms`);
      });
      late.catch(() => undefined);
      transaction.catch(() => undefined);
      await Promise.race([transaction, late]);
    },
    async sink(consumer, partitions) {
      const found = await results.find({ consumer }, { sort: { offset: 1 }, projection: { _id: 0 } }).toArray();
      return byPartition(partitions, found);
    },
    async close() {
      await store.close();
      await client.close();
    },
  };
}
