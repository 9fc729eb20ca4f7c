import { describeWithServer } from "@tidemark/test-support/servers";
import type { OffsetKey } from "@tidemark/core";
import { Client } from "pg";
import { expect, it } from "vitest";
import type { PostgresClient } from "../src/index.ts";
import {
  keysOf,
  key,
  newName,
  openClient,
  openPool,
  openStore,
  ownSchema,
  ownUser,
  positionsOf,
} from "./open-store.ts";

const PARTITIONS = 500;
const ROUNDS = 40;

await describeWithServer("postgres", ({ url }) => {
  it("lets two sessions flush the same partitions in opposite orders: nobody sees a deadlock or a retry", async () => {
    const namespace = newName();
    const events: unknown[] = [];
    const open = () => openStore({ url, namespace, onEvent: (event) => events.push(event) });
    const [{ store: one }, { store: other }] = [await open(), await open()];
    const keys = keysOf(PARTITIONS);
    await one.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    for (let round = 1; round <= ROUNDS; round += 1) {
      const entries = keys.map((each) => ({ key: each, token: "t", nextOffset: BigInt(round) }));
      const outcomes = await Promise.all([one.commit(entries), other.commit(entries.toReversed())]);
      expect(new Set(outcomes.flat().map(({ status }) => status))).toEqual(new Set(["committed"]));
    }
    expect(new Set(await positionsOf(one, keys))).toEqual(new Set([BigInt(ROUNDS)]));
    expect(events).toEqual([]);
  });

  it("writes what is free while somebody holds a row, and that row when it is free", async () => {
    const { store, namespace } = await openStore({ url });
    const { store: other } = await openStore({ url, namespace });
    const keys = keysOf(2);
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const holder = await openClient(url);
    await holder.query("BEGIN");
    await holder.query("SELECT FROM tidemark_offsets WHERE namespace = $1 AND partition = 0 FOR UPDATE", [namespace]);
    const entries = keys.map((each) => ({ key: each, token: "t", nextOffset: 1n }));
    const committing = Promise.all([store.commit(entries), other.commit(entries.toReversed())]);
    await expect.poll(() => positionsOf(store, keys)).toEqual([undefined, 1n]);
    await holder.query("ROLLBACK");
    const committed = [{ status: "committed" }, { status: "committed" }];
    expect(await committing).toEqual([committed, committed]);
  });

  it("keeps its connections while it waits for a lock, whatever language the server speaks", async () => {
    // As with lc_messages = 'de_DE': pg has the severity in no other form.
    class GermanClient extends Client {
      override query(...statement: unknown[]): never {
        return translated(Reflect.apply(super.query, this, statement)) as never;
      }
    }
    const pool = openPool(url, { max: 1, Client: GermanClient });
    let removed = 0;
    pool.on("remove", () => (removed += 1));
    const { store, namespace } = await openStore({ client: pool });
    await store.claim([{ key, token: "t", owner: "o" }]);
    const holder = await openClient(url);
    await holder.query("BEGIN");
    await holder.query("SELECT FROM tidemark_offsets WHERE namespace = $1 FOR UPDATE", [namespace]);
    const retried = Promise.withResolvers<void>();
    let writes = 0;
    pool.on("acquire", () => (writes += 1) === 5 && retried.resolve());
    const committing = store.commit([{ key, token: "t", nextOffset: 1n }]);
    await Promise.race([retried.promise, committing]);
    await holder.query("ROLLBACK");
    expect(await committing).toEqual([{ status: "committed" }]);
    expect(writes).toBeGreaterThanOrEqual(5);
    expect(removed).toBe(0);
  });

  it("ends a flush of a partition that a frozen transaction has locked by its timeout; the others are through", async () => {
    const keys = keysOf(64);
    const { store, namespace } = await openStore({ url, timeout: 4_000 });
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const frozen = await openClient(url);
    await frozen.query("BEGIN");
    await store.commit([{ key: { ...key, partition: 37 }, token: "t", nextOffset: 5n }], { transaction: frozen });
    const flush = () => store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset: 10n })));
    await expect(flush()).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
    expect(await positionsOf(store, keys)).toEqual(keys.map(({ partition }) => (partition === 37 ? undefined : 10n)));
    // Whoever was given up waits for nothing at the server any more: it would keep a connection as long as the lock lasts.
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%tidemark_offsets%'`;
    const looker = await openClient(url);
    await expect.poll(async () => (await looker.query(waiting)).rows.length).toBe(0);
    await frozen.query("ROLLBACK");
    expect(await flush()).toEqual(keys.map(() => ({ status: "committed" })));
    expect(await positionsOf(store, [{ ...key, partition: 37 }])).toEqual([10n]);
    expect(await countRows(url, namespace)).toBe(64);
  });

  it("writes a heartbeat when the member's row is free again", async () => {
    const { store, namespace } = await openStore({ url, timeout: 60_000 });
    const member = { key: { consumer: key.consumer, topic: key.topic, member: "m" }, owner: "o" };
    const beat = (held: number) => store.heartbeat({ ...member, mode: "balanced", lease: 60_000, held });
    await beat(0);
    const holder = await openClient(url);
    await holder.query("BEGIN");
    await holder.query("SELECT FROM tidemark_offsets WHERE namespace = $1 FOR UPDATE", [namespace]);
    const beating = beat(7);
    // One attempt gives up after a moment: the second one shows that it is made again.
    const attempts = new Set<unknown>();
    const waiting = `SELECT query_start::text FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`;
    const looker = await openClient(url);
    const { rows } = await holder.query("SELECT pg_backend_pid() AS pid");
    await expect
      .poll(async () => {
        for (const row of (await looker.query(waiting, [rows[0]?.["pid"]])).rows) attempts.add(row["query_start"]);
        return attempts.size;
      })
      .toBeGreaterThan(1);
    await holder.query("ROLLBACK");
    await beating;
    expect(await Array.fromAsync(store.members())).toMatchObject([{ member: "m", held: 7 }]);
  });

  it("claims what a frozen transaction is not creating", async () => {
    const keys = keysOf(20);
    const { store, namespace } = await openStore({ url, timeout: 4_000 });
    const frozen = await openClient(url);
    await frozen.query("BEGIN");
    const recreated = {
      key: { ...key, partition: 7 },
      token: "zombie",
      nextOffset: 5n,
      recreate: true,
      owner: "zombie",
    };
    await store.commit([recreated], { transaction: frozen });
    const claim = () => store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    await expect(claim()).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
    const found = (await store.fetch(keys)).map(({ status }) => status);
    expect(found).toEqual(keys.map(({ partition }) => (partition === 7 ? "absent" : "found")));
    await frozen.query("ROLLBACK");
    expect((await claim()).map(({ status }) => status)).toEqual(keys.map(() => "claimed"));
    expect(await countRows(url, namespace)).toBe(20);
  });

  it("gives way to a transaction of the user's that wants what a flush has locked", async () => {
    const keys = keysOf(2);
    const { store } = await openStore({ url });
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const [first, second] = keys;
    if (first === undefined || second === undefined) throw new Error("no key");
    const within = (transaction: PostgresClient, one: OffsetKey) =>
      store.commit([{ key: one, token: "t", nextOffset: 5n }], { transaction });
    for (let round = 0; round < 5; round += 1) {
      const transaction = await openClient(url);
      await transaction.query("BEGIN");
      await within(transaction, second);
      // It writes the first, and waits for the second, while the transaction wants the first.
      const flushing = store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset: 1n })));
      await expect.poll(() => positionsOf(store, [first])).toEqual([1n]);
      expect(await within(transaction, first)).toEqual([{ status: "committed" }]);
      await transaction.query("COMMIT");
      expect(await flushing).toMatchObject([{ status: "committed" }, { status: "behind" }]);
      expect(await positionsOf(store, keys)).toEqual([5n, 5n]);
      await store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset: 0n, rewind: true })));
    }
  });

  it("takes a user whose transactions are serializable by default: nobody is told of what the server gives up", async () => {
    const own = await ownUser(url, "SUPERUSER");
    const admin = await openClient(url);
    await admin.query(`ALTER ROLE ${own.user} SET default_transaction_isolation = 'serializable'`);
    const namespace = newName();
    const events: unknown[] = [];
    const open = () => openStore({ url: own.url, namespace, onEvent: (event) => events.push(event) });
    const [{ store: one }, { store: other }] = [await open(), await open()];
    const keys = keysOf(20);
    await one.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    for (let round = 1n; round <= 20n; round += 1n) {
      const entries = keys.map((each) => ({ key: each, token: "t", nextOffset: round }));
      const outcomes = await Promise.all([one.commit(entries), other.commit(entries)]);
      expect(new Set(outcomes.flat().map(({ status }) => status))).toEqual(new Set(["committed"]));
    }
    expect(events).toEqual([]);
  });

  it("removes what nobody has locked, and the rest when it is free", async () => {
    const keys = keysOf(5);
    const { store, namespace } = await openStore({ url });
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const holder = await openClient(url);
    await holder.query("BEGIN");
    await holder.query("SELECT FROM tidemark_offsets WHERE namespace = $1 AND partition = 3 FOR UPDATE", [namespace]);
    const deleting = store.delete({ topic: "orders" });
    await expect.poll(() => countRows(url, namespace)).toBe(1);
    await holder.query("ROLLBACK");
    expect(new Set(await deleting)).toEqual(new Set(keys));
    expect(await countRows(url, namespace)).toBe(0);
  });

  it("plans a flush by the rows that it has, whatever the statistics say of versions", async () => {
    const schema = await ownSchema(url);
    const { store } = await openStore({ url, schema });
    const keys = keysOf(1_000);
    for (const consumer of ["c1", "c2", "c3"]) {
      await store.claim(keys.map((each) => ({ key: { ...each, consumer }, token: "t", owner: "o" })));
    }
    const client = await openClient(url);
    await client.query(`ANALYZE ${schema}.tidemark_offsets`);
    const explained: string[] = [];
    const explaining = {
      async query(text: string, values: unknown[]) {
        if (text.startsWith("UPDATE")) {
          const { rows } = await client.query<{ "QUERY PLAN": unknown }>(`EXPLAIN (FORMAT JSON) ${text}`, values);
          explained.push(JSON.stringify(rows));
        }
        return client.query(text, values);
      },
    };
    const { store: explainedStore } = await openStore({ client: explaining, schema, namespace: store.namespace });
    const flushed = keys.slice(0, 100);
    await explainedStore.claim(flushed.map((each) => ({ key: each, token: "t", owner: "o" })));
    await explainedStore.commit(
      flushed.map((each) => ({ key: each, token: "t", nextOffset: 1n, metadata: "m".repeat(100) })),
    );
    expect(explained.length).toBeGreaterThan(0);
    // Each row of the table against each one given: a join filter with the function inside.
    for (const plan of explained) expect(plan).not.toMatch(/"Nested Loop".*"Join Filter"/u);
  });
});

/** An answer whose error has its severity in German. */
async function translated(answer: unknown): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    throw Object.assign(error as Error, { severity: "FEHLER" });
  }
}

/** How many rows a namespace has. */
async function countRows(url: string, namespace: string): Promise<number> {
  const client = await openClient(url);
  const { rows } = await client.query<{ count: string }>("SELECT count(*) FROM tidemark_offsets WHERE namespace = $1", [
    namespace,
  ]);
  return Number(rows[0]?.count);
}
