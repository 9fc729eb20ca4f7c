import { randomUUID } from "node:crypto";
import { type Document, MongoClient, type MongoClientOptions } from "mongodb";
import { onTestFinished } from "vitest";
import type { OffsetKey, OffsetRecord } from "@tidemark/core";
import { type MongoStoreClientOptions, openMongoStore } from "../src/index.ts";

/** Where these tests work; the kit has a database of its own. */
export const DATABASE = "tidemark_tests";

/** A key like any other. */
export const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };

/** A client like a user's, closed after the running test. */
export function openClient(url: string, options: MongoClientOptions = {}): MongoClient {
  const client = new MongoClient(url, options);
  onTestFinished(() => client.close());
  return client;
}

/** The name of a collection of the running test's own, dropped after it. */
export function ownCollection(client: MongoClient): string {
  const name = `own_${randomUUID()}`;
  onTestFinished(async () => {
    // Its own connection: the test's may be closed by now.
    const sweeper = new MongoClient(`mongodb://${client.options.hosts.map(String).join(",")}`);
    await sweeper.db(DATABASE).dropCollection(name);
    await sweeper.close();
  });
  return name;
}

/** A store in a namespace of the running test's own, and its collection as the backend shows it. */
export async function openStore(url: string, options: Partial<MongoStoreClientOptions> = {}) {
  const client = options.client ?? openClient(url);
  const namespace = options.namespace ?? randomUUID();
  const store = await openMongoStore({ database: DATABASE, ...options, client, namespace });
  onTestFinished(() => store.close());
  const documents = client.db(DATABASE).collection<Document & { _id: string }>(options.collection ?? "offsets");
  return { client, store, namespace, documents, id: `${namespace}/c1/orders/0` };
}

/** All that a listing gives. */
export async function collect(records: AsyncIterable<OffsetRecord>): Promise<OffsetRecord[]> {
  const all: OffsetRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}
