import { describeWithServer } from "@tidemark/test-support/servers";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import type { Client } from "pg";
import postgres from "postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import type { PostgresClient } from "../src/index.ts";
import { key, keysOf, newName, openClient, openPool, openStore, ownSchema, positionsOf } from "./open-store.ts";

await describeWithServer("postgres", ({ url }) => {
  /** A store with a claim, a table of results, and a client for transactions. */
  async function setUp() {
    const schema = await ownSchema(url);
    const { store } = await openStore({ url, schema });
    await store.claim([{ key, token: "t", owner: "o" }]);
    const client = await openClient(url);
    await client.query(`CREATE TABLE ${schema}.results (id serial PRIMARY KEY, total integer)`);
    const results = `${schema}.results`;
    const countResults = async () => (await client.query(`SELECT FROM ${results}`)).rows.length;
    const begin = async (isolation = "READ COMMITTED"): Promise<Client> => {
      const transaction = await openClient(url);
      await transaction.query(`BEGIN ISOLATION LEVEL ${isolation}`);
      return transaction;
    };
    const insert = `INSERT INTO ${results} (total) VALUES (99)`;
    return { store, schema, begin, insert, countResults };
  }

  describe.each(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])("in %s", (isolation) => {
    it("writes the position with the user's rows, or neither", async () => {
      const { store, begin, insert, countResults } = await setUp();
      for (const [end, nextOffset] of [
        ["ROLLBACK", undefined],
        ["COMMIT", 5n],
      ] as const) {
        const transaction = await begin(isolation);
        await transaction.query(insert);
        expect(await store.commit([{ key, token: "t", nextOffset: 5n }], { transaction })).toEqual([
          { status: "committed" },
        ]);
        expect(await positionsOf(store, [key])).toEqual([undefined]);
        await transaction.query(end);
        expect(await positionsOf(store, [key])).toEqual([nextOffset]);
      }
      expect(await countResults()).toBe(1);
      expect(await store.commit([{ key, token: "t", nextOffset: 6n }])).toEqual([{ status: "committed" }]);
    });

    it("goes by what others have committed since, or gives the server's own error, for which one begins again", async () => {
      const { store, begin, insert } = await setUp();
      const entry = { key, token: "t", nextOffset: 10n };
      const transaction = await begin(isolation);
      await transaction.query(insert);
      await store.commit([{ ...entry, nextOffset: 7n }]);
      const committing = store.commit([entry], { transaction });
      if (isolation === "READ COMMITTED") {
        expect(await committing).toEqual([{ status: "committed" }]);
        await transaction.query("COMMIT");
      } else {
        await expect(committing).rejects.toMatchObject({ code: "40001", severity: "ERROR" });
        await transaction.query("ROLLBACK");
        await transaction.query(`BEGIN ISOLATION LEVEL ${isolation}`);
        await store.commit([entry], { transaction });
        await transaction.query("COMMIT");
      }
      expect(await positionsOf(store, [key])).toEqual([10n]);
    });

    it("refuses what is behind, and the rollback takes the user's rows along", async () => {
      const { store, begin, insert, countResults } = await setUp();
      await store.commit([{ key, token: "t", nextOffset: 5n }]);
      const transaction = await begin(isolation);
      await transaction.query(insert);
      const committing = store.commit([{ key, token: "t", nextOffset: 5n }], { transaction });
      await expect(committing).rejects.toMatchObject({ code: "CONFLICT", refusal: { status: "behind" } });
      await transaction.query("ROLLBACK");
      expect(await countResults()).toBe(0);
    });
  });

  it.each(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])(
    "takes what has expired since the transaction began for absent, in %s",
    async (isolation) => {
      const { store, begin } = await setUp();
      await store.claim([{ key, token: "t", owner: "o", ttl: 1_000 }]);
      const transaction = await begin(isolation);
      await transaction.query("SELECT");
      await expect.poll(() => positionsOf(store, [key]), { timeout: 60_000 }).toEqual(["absent"]);
      const committing = store.commit([{ key, token: "t", nextOffset: 5n }], { transaction });
      await expect(committing).rejects.toMatchObject({ code: "CONFLICT", refusal: { reason: "absent" } });
      await transaction.query("ROLLBACK");
      expect(await positionsOf(store, [key])).toEqual(["absent"]);
    },
  );

  it("takes what has expired while it waited for a lock of another transaction for absent", async () => {
    const { store, schema, begin } = await setUp();
    const keys = keysOf(2);
    const looker = await openClient(url);
    const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
    let hasExpiredInTheWait = false;
    // On a busy machine they may expire before it waits: again then, with more time.
    for (let ttl = 3_000; !hasExpiredInTheWait; ttl *= 2) {
      await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o", ttl })));
      const [holder, transaction] = [await begin(), await begin()];
      // The second: the first is read before the wait.
      await holder.query(`SELECT FROM ${schema}.tidemark_offsets WHERE partition = 1 FOR UPDATE`);
      let isDone = false;
      const committing = store
        .commit(
          keys.map((each) => ({ key: each, token: "t", nextOffset: 5n })),
          { transaction },
        )
        .finally(() => (isDone = true));
      committing.catch(() => undefined);
      const isWaiting = async () => (await looker.query(waiting, [`%${schema}%`])).rows.length === 1;
      await expect.poll(async () => isDone || (await isWaiting()), { timeout: 60_000 }).toBe(true);
      hasExpiredInTheWait = !isDone && !(await positionsOf(store, keys)).includes("absent");
      await expect.poll(() => positionsOf(store, keys), { timeout: 60_000 }).toEqual(["absent", "absent"]);
      await holder.query("ROLLBACK");
      await expect(committing).rejects.toMatchObject({ code: "CONFLICT", keys: [key], refusal: { reason: "absent" } });
      await transaction.query("ROLLBACK");
    }
  });

  it("writes an absent record again in a transaction that has been open for long", async () => {
    const { schema, begin } = await setUp();
    const timeout = 5_000;
    const { store } = await openStore({ url, schema, timeout });
    const transaction = await begin("REPEATABLE READ");
    // The user's work: longer than a write of the store may be on its way.
    await transaction.query("SELECT pg_sleep($1)", [(2 * timeout + 100) / 1_000]);
    const entry = { key, token: "t", owner: "o", nextOffset: 5n, recreate: true };
    expect(await store.commit([entry], { transaction })).toEqual([{ status: "committed" }]);
    await transaction.query("COMMIT");
    expect(await positionsOf(store, [key])).toEqual([5n]);
  });

  it("has all of many positions or none", async () => {
    const { store, begin } = await setUp();
    const keys = keysOf(1_100);
    await store.claim(keys.map((each) => ({ key: each, token: "many", owner: "o" })));
    await store.commit([{ key: { ...key, partition: 1_050 }, token: "many", nextOffset: 50n }]);
    const commitAll = async (nextOffset: bigint): Promise<void> => {
      const transaction = await begin();
      try {
        await store.commit(
          keys.map((each) => ({ key: each, token: "many", nextOffset })),
          { transaction },
        );
        await transaction.query("COMMIT");
      } catch (error) {
        await transaction.query("ROLLBACK");
        throw error;
      }
    };
    await expect(commitAll(10n)).rejects.toMatchObject({ code: "CONFLICT", keys: [{ partition: 1_050 }] });
    expect(new Set(await positionsOf(store, keys))).toEqual(new Set([undefined, 50n]));
    await commitAll(60n);
    expect(new Set(await positionsOf(store, keys))).toEqual(new Set([60n]));
  });

  it("is not refused in part by who writes between its look and its write: they wait", async () => {
    const { store, schema, begin } = await setUp();
    const keys = keysOf(2);
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const { store: other } = await openStore({ url, schema, namespace: store.namespace });
    const [transaction, looker] = [await begin(), await openClient(url)];
    let others: Promise<unknown> | undefined;
    let isDone = false;
    const interrupted: PostgresClient = {
      async query(text, values) {
        if (text.startsWith("UPDATE")) {
          others = other.commit([{ key: { ...key, partition: 1 }, token: "t", nextOffset: 50n }]);
          void others.then(() => (isDone = true));
          const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
          const isWaiting = async () => isDone || (await looker.query(waiting, [`%${schema}%`])).rows.length > 0;
          await expect.poll(isWaiting, { interval: 5 }).toBe(true);
        }
        return transaction.query(text, values);
      },
    };
    await store.commit(
      keys.map((each) => ({ key: each, token: "t", nextOffset: 5n })),
      { transaction: interrupted },
    );
    await transaction.query("COMMIT");
    expect(await others).toEqual([{ status: "committed" }]);
    expect(await positionsOf(store, keys)).toEqual([5n, 50n]);
  });

  it("leaves the settings of the user's transaction alone, and goes with its savepoints", async () => {
    const { store, begin } = await setUp();
    const transaction = await begin();
    await transaction.query("SET LOCAL lock_timeout = '7s'");
    await store.commit([{ key, token: "t", nextOffset: 5n }], { transaction });
    await transaction.query("SAVEPOINT mine");
    await store.commit([{ key, token: "t", nextOffset: 6n }], { transaction });
    await transaction.query("ROLLBACK TO SAVEPOINT mine");
    await store.commit([{ key, token: "t", nextOffset: 7n }], { transaction });
    expect((await transaction.query("SHOW lock_timeout")).rows).toEqual([{ lock_timeout: "7s" }]);
    await transaction.query("COMMIT");
    expect(await positionsOf(store, [key])).toEqual([7n]);
  });

  it("refuses a client without a transaction, a pool, and what is no client: nothing is written", async () => {
    const { store } = await setUp();
    const entries = [{ key, token: "t", nextOffset: 5n }];
    const ended = await openClient(url);
    await ended.query("BEGIN");
    await ended.query("COMMIT");
    for (const transaction of [await openClient(url), ended, openPool(url, { max: 1 }), openPool(url)]) {
      const committing = store.commit(entries, { transaction });
      await expect(committing).rejects.toThrow(TypeError);
      await expect(committing).rejects.toThrow("no transaction open");
    }
    for (const transaction of [{}, 7, "BEGIN"]) {
      await expect(store.commit(entries, { transaction: transaction as never })).rejects.toThrow("must have query");
    }
    expect(await positionsOf(store, [key])).toEqual([undefined]);
  });

  it("gives the server's own error in a transaction that has failed", async () => {
    const { store, begin } = await setUp();
    const transaction = await begin();
    await expect(transaction.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
    const committing = store.commit([{ key, token: "t", nextOffset: 5n }], { transaction });
    await expect(committing).rejects.toMatchObject({ code: "25P02" });
    await transaction.query("ROLLBACK");
  });

  describe("other clients' transactions", () => {
    it.each<
      readonly [string, () => Promise<(body: (transaction: PostgresClient) => Promise<unknown>) => Promise<unknown>>]
    >([
      [
        "drizzle",
        async () => {
          const database = drizzle(openPool(url));
          return (body) =>
            database.transaction((transaction) =>
              body({
                query: (text, values) =>
                  transaction.execute(
                    sql.join(
                      text
                        .split(/\$(\d+)/u)
                        .map((part, at) => (at % 2 === 0 ? sql.raw(part) : sql.param(values[Number(part) - 1]))),
                    ),
                  ),
              }),
            );
        },
      ],
      [
        "kysely",
        async () => {
          const database = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: openPool(url) }) });
          return (body) =>
            database
              .transaction()
              .execute((transaction) =>
                body({ query: (text, values) => transaction.executeQuery(CompiledQuery.raw(text, values)) }),
              );
        },
      ],
      [
        "postgres.js",
        async () => {
          const database = postgres(url);
          onTestFinished(() => database.end());
          return (body) =>
            database.begin((transaction) =>
              body({ query: async (text, values) => ({ rows: await transaction.unsafe(text, values as never[]) }) }),
            );
        },
      ],
    ])("%s", async (_, open) => {
      const { store, insert, countResults } = await setUp();
      const run = await open();
      const failing = run(async (transaction) => {
        await transaction.query(insert, []);
        await store.commit([{ key, token: "t", nextOffset: 5n }], { transaction });
        throw new Error("a test");
      });
      await expect(failing).rejects.toThrow("a test");
      expect(await positionsOf(store, [key])).toEqual([undefined]);
      await run(async (transaction) => {
        await transaction.query(insert, []);
        await store.commit([{ key, token: "t", nextOffset: 5n, metadata: newName() }], { transaction });
      });
      expect(await positionsOf(store, [key])).toEqual([5n]);
      expect(await countResults()).toBe(1);
    });
  });
});
