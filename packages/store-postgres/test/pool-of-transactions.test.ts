import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import type { Pool } from "pg";
import postgres from "postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import { openPostgresStore, type PostgresClient, type PostgresStoreOptions } from "../src/index.ts";
import { key, keysOf, openPool, openStore, positionsOf } from "./open-store.ts";
import { openTransacting, transactionOf } from "./open-transacting-store.ts";
import { throughProxy } from "./postgres-harness.ts";

await describeWithServer("postgres", ({ url }) => {
  const setUp = (options?: Partial<PostgresStoreOptions>) => openTransacting(url, options);

  describe("transact with a pool of the user's", () => {
    it("takes connections from it, and gives them back", async () => {
      const pool = openPool(url, { max: 1 });
      const { store, insert, countResults } = await setUp({ url: undefined, client: openPool(url), pool });
      for (let from = 0n; from < 3n; from += 1n) await store.transact(transactionOf(from), insert);
      await expect(
        store.transact(transactionOf(3n), () => {
          throw new Error("a test");
        }),
      ).rejects.toThrow("a test");
      expect(await countResults()).toBe(3);
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
    });

    it("takes what reserve() gives, as with postgres.js", async () => {
      const sql = postgres(url);
      onTestFinished(() => sql.end());
      const pool = {
        async reserve() {
          const reserved = await sql.reserve();
          const query = async (text: string, values: unknown[]) => ({
            rows: await reserved.unsafe(text, values as never[]),
          });
          return { query, release: () => reserved.release() };
        },
      };
      const { store, insert, countResults } = await setUp({ url: undefined, client: openPool(url), pool });
      for (let from = 0n; from < 3n; from += 1n) await store.transact(transactionOf(from), insert);
      expect(await countResults()).toBe(3);
      expect(await positionsOf(store, [key])).toEqual([3n]);
    });

    it.each(["pg", "postgres.js"])(
      "gives back a connection on which the server has refused COMMIT: %s",
      async (name) => {
        const own = openPool(url, { max: 1 });
        const sql = postgres(url, { max: 1 });
        // Otherwise it waits for what is not given back.
        onTestFinished(() => sql.end({ timeout: 1 }));
        const reserve = async () => {
          const on = await sql.reserve();
          const query = async (text: string, values: unknown[]) => ({ rows: await on.unsafe(text, values as never[]) });
          return { query, release: (isBroken?: boolean) => void (isBroken || on.release()) };
        };
        const pool = name === "pg" ? own : { reserve };
        const { store, schema, client, insert, countResults } = await setUp({
          url: undefined,
          client: openPool(url),
          pool,
        });
        await client.query(`ALTER TABLE ${schema}.results ADD UNIQUE (total) DEFERRABLE INITIALLY DEFERRED`);
        const failing = store.transact(transactionOf(0n), async (transaction) => {
          await insert(transaction);
          await insert(transaction);
        });
        await expect(failing).rejects.toMatchObject({ cause: { code: "23505" } });
        expect(await countResults()).toBe(0);
        if (name === "pg") expect([own.totalCount, own.idleCount]).toEqual([1, 1]);
        // There is no other connection.
        await store.transact(transactionOf(0n), insert);
        expect(await countResults()).toBe(1);
      },
    );

    it("keeps the process alive when its connection breaks in the middle, and begins with another one", async () => {
      const pool = openPool(url);
      const { store, client, insert, countResults } = await setUp({ url: undefined, client: openPool(url), pool });
      let attempts = 0;
      await store.transact(transactionOf(0n), async (transaction) => {
        attempts += 1;
        await insert(transaction);
        if (attempts > 1) return;
        const { rows } = await transaction.query("SELECT pg_backend_pid() AS pid", []);
        await client.query("SELECT pg_terminate_backend($1, 5000)", [(rows[0] as { readonly pid: number }).pid]);
      });
      expect(attempts).toBe(2);
      expect(await countResults()).toBe(1);
    });

    it("keeps the process alive when an idle connection breaks, as long as it is open", async () => {
      const pool = openPool(url);
      const { store, client, insert, countResults } = await setUp({ url: undefined, client: openPool(url), pool });
      let pid: unknown;
      await store.transact(transactionOf(0n), async (transaction) => {
        const { rows } = await transaction.query("SELECT pg_backend_pid() AS pid", []);
        pid = (rows[0] as { readonly pid: number }).pid;
      });
      await client.query("SELECT pg_terminate_backend($1, 5000)", [pid]);
      await expect.poll(() => pool.totalCount, { timeout: 60_000 }).toBe(0);
      await store.transact(transactionOf(1n), insert);
      expect(await countResults()).toBe(1);
      expect(pool.listenerCount("error")).toBe(1);
      await store.close();
      expect(pool.listenerCount("error")).toBe(0);
    });

    it("gives up connections that never answer BEGIN: the pool makes others", async () => {
      const { hostname, port } = new URL(url);
      await using proxy = await openTcpProxy({ host: hostname, port: Number(port) });
      const pool = openPool(throughProxy(url, proxy.port), { max: 3, connectionTimeoutMillis: 5_000 });
      const { store, insert } = await setUp({ url: undefined, client: openPool(url), pool, timeout: 5_000 });
      const keys = keysOf(3);
      await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
      const transactAll = (body: (transaction: PostgresClient) => unknown) =>
        Promise.allSettled(keys.map((each) => store.transact({ ...transactionOf(0n), key: each }, body)));
      const [all, begun] = [Promise.withResolvers<void>(), new Set<PostgresClient>()];
      await transactAll(async (transaction) => {
        if (begun.add(transaction).size === 3) all.resolve();
        await all.promise;
        throw new Error("a test");
      });
      expect(pool.idleCount).toBe(3);
      proxy.silence();
      expect(await transactAll(insert)).toMatchObject(keys.map(() => ({ reason: { code: "TIMEOUT" } })));
      await expect.poll(() => pool.totalCount, { timeout: 60_000 }).toBe(0);
      proxy.restore();
      expect(await transactAll(insert)).toMatchObject(keys.map(() => ({ value: { status: "committed" } })));
      expect(await positionsOf(store, keys)).toEqual([1n, 1n, 1n]);
    });

    it("begins with another connection where one breaks as it begins", async () => {
      const own = openPool(url);
      own.on("error", () => undefined);
      const admin = openPool(url);
      let reserved = 0;
      const pool = {
        async reserve() {
          const client = await own.connect();
          reserved += 1;
          if (reserved > 1) return client;
          const query = async (text: string, values: unknown[]) => {
            const result = await client.query(text, values);
            if (text !== "BEGIN") return result;
            const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
            const broken = new Promise((resolve) => client.once("end", resolve));
            await admin.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
            await broken;
            return result;
          };
          const { on, off, release } = client;
          return { query, on: on.bind(client), off: off.bind(client), release: release.bind(client) };
        },
      };
      const { store, insert, countResults } = await setUp({ url: undefined, client: openPool(url), pool });
      await store.transact(transactionOf(0n), insert);
      expect(reserved).toBe(2);
      expect(await countResults()).toBe(1);
    });

    it("has no transact without one", async () => {
      const { store } = await openStore({ client: openPool(url) });
      expect(store.transact).toBeUndefined();
    });

    it("refuses the pool that the store's own work goes over, and what is none", async () => {
      const client: Pool = openPool(url);
      await expect(openPostgresStore({ client, pool: client })).rejects.toThrow("must not be the same Pool as client");
      await expect(openPostgresStore({ client, pool: {} as never })).rejects.toThrow(
        "must have connect() or reserve()",
      );
      await expect(openPostgresStore({ url, pool: client } as never)).rejects.toThrow("pool needs client");
      for (const transactionIdleTimeout of [0, 1.5, 2 ** 31]) {
        await expect(openPostgresStore({ url, transactionIdleTimeout })).rejects.toThrow(RangeError);
      }
      await expect(openPostgresStore({ url, transactionIdleTimeout: "10" as never })).rejects.toThrow(TypeError);
    });
  });
});
