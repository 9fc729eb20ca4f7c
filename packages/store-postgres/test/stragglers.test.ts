import { PGlite } from "@electric-sql/pglite";
import { describeWithServer } from "@tidemark/test-support/servers";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { Client, type PoolClient } from "pg";
import postgres from "postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import type { PostgresClient, PostgresPool, ReservedClient } from "../src/index.ts";
import { key, newName, openPool, openStore, positionsOf } from "./open-store.ts";
import { openTransacting, transacting, transactionOf } from "./open-transacting-store.ts";

const ENDED = "the transaction has ended";
const NOT_AWAITED = /a statement of the transaction failed before .* await every statement/u;

/** A client that calls `whilePosition` when the position is on its way to the server. */
function watched(client: PostgresClient, whilePosition: () => void): PostgresClient {
  return {
    query(text, values) {
      const answer = client.query(text, values);
      if (text.startsWith("UPDATE")) whilePosition();
      return answer;
    },
  };
}

await describeWithServer("postgres", ({ url }) => {
  describe("a statement that the body does not wait for, and that fails after the position is written", () => {
    it.each(["connect", "reserve"])("takes the results and the position along: a pool with %s()", async (name) => {
      const own = openPool(url, { max: 1 });
      let straggle = (): void => undefined;
      const lend = async (): Promise<ReservedClient> => {
        const client = await own.connect();
        const { query } = watched(client, () => straggle());
        const release = (isBroken?: boolean): void => client.release(isBroken);
        if (name === "connect") return { query, release };
        // As of a client that says nothing of what a command came to.
        return { query: async (text, values) => ({ rows: (await query(text, values)).rows }), release };
      };
      const pool = { [name]: lend } as unknown as PostgresPool;
      const { store, insert, countResults } = await openTransacting(url, {
        url: undefined,
        client: openPool(url),
        pool,
      });
      const failures: unknown[] = [];
      const failing = store.transact(transactionOf(0n), async (transaction) => {
        await insert(transaction);
        straggle = () => {
          straggle = () => undefined;
          transaction.query("SELECT 1 / 0", []).catch((error: unknown) => failures.push(error));
        };
      });
      await expect(failing).rejects.toThrow(NOT_AWAITED);
      await expect(failing).rejects.toMatchObject({ code: "UNKNOWN", retryable: false, operation: "transact" });
      expect(failures).toMatchObject([{ code: "22012" }]);
      expect(await countResults()).toBe(0);
      expect(await positionsOf(store, [key])).toEqual([undefined]);
      // The connection has ended the transaction, and is used again.
      expect([own.totalCount, own.idleCount]).toEqual([1, 1]);
      await store.transact(transactionOf(0n), insert);
      expect(await countResults()).toBe(1);
      expect(await positionsOf(store, [key])).toEqual([1n]);
    });
  });

  describe("the handle of a transaction", () => {
    it("gets into no other transaction when its own has ended, whichever way", async () => {
      const pool = openPool(url, { max: 1 });
      const { store, insert, countResults } = await openTransacting(url, {
        url: undefined,
        client: openPool(url),
        pool,
      });
      const kept: PostgresClient[] = [];
      await store.transact(transactionOf(0n), (transaction) => kept.push(transaction));
      const failing = store.transact(transactionOf(1n), (transaction) => {
        kept.push(transaction);
        throw new Error("a test");
      });
      await expect(failing).rejects.toThrow("a test");
      await store.transact(transactionOf(1n), async () => {
        for (const transaction of kept) {
          await expect(insert(transaction)).rejects.toThrow(ENDED);
          const committing = store.commit([{ key, token: "t", nextOffset: 9n }], { transaction });
          await expect(committing).rejects.toThrow(ENDED);
        }
      });
      expect(kept).toHaveLength(2);
      expect(pool.totalCount).toBe(1);
      expect(await countResults()).toBe(0);
      expect(await positionsOf(store, [key])).toEqual([2n]);
    });

    it("takes nothing while the transaction is being committed", async () => {
      const own = openPool(url, { max: 1 });
      const late: Promise<unknown>[] = [];
      let atCommit = (): void => undefined;
      const pool = {
        async connect(): Promise<ReservedClient> {
          const client = await own.connect();
          const query: PostgresClient["query"] = (text, values) => {
            if (text === "COMMIT") atCommit();
            return client.query(text, values);
          };
          return { query, release: (isBroken) => client.release(isBroken) };
        },
      };
      const { store, insert, countResults } = await openTransacting(url, {
        url: undefined,
        client: openPool(url),
        pool,
      });
      await store.transact(transactionOf(0n), (transaction) => {
        atCommit = () => void late.push(insert(transaction).catch((error: Error) => error.message));
      });
      expect(await Promise.all(late)).toMatchObject([expect.stringContaining(ENDED)]);
      expect(await countResults()).toBe(0);
    });

    it("is else the client that the pool lends: for instanceof, for its events, and for Drizzle", async () => {
      const { store, schema, countResults } = await openTransacting(url);
      const heard: string[] = [];
      await store.transact(transactionOf(0n), async (transaction) => {
        expect(transaction).toBeInstanceOf(Client);
        const client = transaction as Client;
        client.on("notice", ({ message = "" }) => heard.push(message));
        await client.query("DO $$ BEGIN RAISE NOTICE 'heard'; END $$");
        const inserted = await client.query({ text: `INSERT INTO ${schema}.results (total) VALUES ($1)`, values: [1] });
        expect(inserted.rowCount).toBe(1);
        await drizzle(client).execute(sql`INSERT INTO ${sql.identifier(schema)}.results (total) VALUES (${2})`);
        expect(client.escapeIdentifier("a b")).toBe('"a b"');
      });
      expect(heard).toEqual(["heard"]);
      expect(await countResults()).toBe(2);
    });

    it("can be called where the client is a function, until the end: postgres.js", async () => {
      const database = postgres(url);
      onTestFinished(() => database.end());
      const pool = {
        reserve: async () => {
          const reserved = await database.reserve();
          const query = async (text: string, values: unknown[]) => ({
            rows: await reserved.unsafe(text, values as never[]),
          });
          return Object.assign(reserved, { query });
        },
      };
      const { store, schema, countResults } = await openTransacting(url, {
        url: undefined,
        client: openPool(url),
        pool,
      });
      const kept: postgres.ReservedSql[] = [];
      await store.transact(transactionOf(0n), async (transaction) => {
        const own = transaction as unknown as postgres.ReservedSql;
        kept.push(own);
        await own`INSERT INTO ${own(schema)}.results (total) VALUES (${1})`;
      });
      expect(await countResults()).toBe(1);
      for (const own of kept) await expect(own`SELECT 1`).rejects.toThrow(ENDED);
      // Nor is what a statement is made of an error that nobody handles.
      for (const own of kept) await expect(own`SELECT ${own("a")} ${own`FROM t`}`).rejects.toThrow(ENDED);
      expect(kept).toHaveLength(1);
    });

    it("keeps for itself what is wrapped around its query", async () => {
      const pool = openPool(url, { max: 1 });
      const { store, insert, countResults } = await openTransacting(url, {
        url: undefined,
        client: openPool(url),
        pool,
      });
      const seen: string[] = [];
      await store.transact(transactionOf(0n), async (transaction) => {
        const { query } = transaction;
        transaction.query = (text, values) => {
          seen.push(text);
          return query.call(transaction, text, values);
        };
        await insert(transaction);
      });
      expect(seen).toEqual([expect.stringMatching(/^INSERT/u), ...seen.slice(1)]);
      const { length } = seen;
      await store.transact(transactionOf(1n), insert);
      expect(seen).toHaveLength(length);
      expect(await countResults()).toBe(2);
    });

    it("gives the error to the callback of a statement that comes after the end", async () => {
      const { store } = await openTransacting(url);
      const kept: Client[] = [];
      await store.transact(transactionOf(0n), (transaction) => kept.push(transaction as Client));
      const answer = Promise.withResolvers<Error>();
      for (const client of kept) client.query("SELECT 1", answer.resolve);
      expect((await answer.promise).message).toContain(ENDED);
    });

    it("is that of a client of the user's own, whatever that is made of", async () => {
      const own = openPool(url);
      class Reserved implements ReservedClient {
        readonly #client: Promise<PoolClient> = own.connect();
        async query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }> {
          return (await this.#client).query(text, values);
        }
        async insertInto(table: string): Promise<void> {
          await this.query(`INSERT INTO ${table} (total) VALUES (1)`, []);
        }
        release(isBroken?: boolean): void {
          void this.#client.then((client) => client.release(isBroken));
        }
      }
      const pool = { reserve: async () => Object.freeze(new Reserved()) };
      const { store, schema, countResults } = await openTransacting(url, {
        url: undefined,
        client: openPool(url),
        pool,
      });
      await store.transact(transactionOf(0n), (transaction) =>
        (transaction as Reserved).insertInto(`${schema}.results`),
      );
      expect(await countResults()).toBe(1);
    });
  });
});

it("takes the position along in a PGlite, where a statement fails after it", async () => {
  await using database = await PGlite.create();
  let straggle = (): void => undefined;
  const pool: PostgresPool = {
    transaction: (run) => database.transaction((transaction) => run(watched(transaction, () => straggle()))),
  };
  const { store: opened } = await openStore({ client: database, pool, namespace: newName() });
  const store = transacting(opened);
  await store.claim([{ key, token: "t", owner: "o" }]);
  const failing = store.transact(transactionOf(0n), (transaction) => {
    straggle = () => {
      straggle = () => undefined;
      transaction.query("SELECT 1 / 0", []).catch(() => undefined);
    };
  });
  await expect(failing).rejects.toThrow(NOT_AWAITED);
  expect(await positionsOf(store, [key])).toEqual([undefined]);
});
