import { randomBytes } from "node:crypto";
import type { OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import { Client, Pool, type PoolConfig } from "pg";
import { onTestFinished } from "vitest";
import { openPostgresStore, type PostgresClient, type PostgresStoreOptions } from "../src/index.ts";

/** A key like any other. */
export const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };

/** So many keys of one topic. */
export function keysOf(count: number): OffsetKey[] {
  return Array.from({ length: count }, (_, partition) => ({ ...key, partition }));
}

/** A name that nobody else has. */
export function newName(prefix = "own"): string {
  return `${prefix}_${randomBytes(6).toString("hex")}`;
}

/** A client like a user's, closed after the running test. */
export async function openClient(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** A pool like a user's, closed after the running test. */
export function openPool(url: string, config: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString: url, ...config });
  onTestFinished(async () => {
    pool.on("error", () => undefined);
    await pool.end();
  });
  return pool;
}

/** A schema of the running test's own, dropped after it. */
export async function ownSchema(url: string): Promise<string> {
  const admin = await openClient(url);
  const schema = newName("schema");
  await admin.query(`CREATE SCHEMA ${schema}`);
  onTestFinished(async () => void (await admin.query(`DROP SCHEMA ${schema} CASCADE`)));
  return schema;
}

/** The URL of a user of the running test's own, dropped after it. */
export async function ownUser(
  url: string,
  attributes: string,
): Promise<{ readonly user: string; readonly url: string }> {
  const admin = await openClient(url);
  const user = newName("user");
  await admin.query(`CREATE ROLE ${user} LOGIN ${attributes}`);
  onTestFinished(async () => {
    await admin.query(`DROP OWNED BY ${user} CASCADE`);
    await admin.query(`DROP ROLE ${user}`);
  });
  const own = new URL(url);
  own.username = user;
  return { user, url: own.href };
}

/** A store in a namespace of the running test's own, closed after it. */
export async function openStore(
  options: PostgresStoreOptions,
): Promise<{ readonly store: OffsetStore<PostgresClient>; readonly namespace: string }> {
  const namespace = options.namespace ?? newName("namespace");
  const store = await openPostgresStore({ ...options, namespace });
  onTestFinished(() => store.close());
  return { store, namespace };
}

/** All that a listing gives. */
export async function collect(records: AsyncIterable<OffsetRecord>): Promise<OffsetRecord[]> {
  const all: OffsetRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

/** The positions of keys. */
export async function positionsOf(store: OffsetStore<PostgresClient>, keys: readonly OffsetKey[]): Promise<unknown[]> {
  return (await store.fetch(keys)).map((one) => (one.status === "found" ? one.record.nextOffset : one.status));
}
