import type { OffsetStoreEvent } from "@tidemark/core";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { PGlite } from "@electric-sql/pglite";
import { describe, expect, it } from "vitest";
import type { PostgresClient, PostgresStoreOptions } from "../src/index.ts";
import { key, keysOf, newName, openStore, positionsOf } from "./open-store.ts";
import { openTransacting, transacting, transactionOf } from "./open-transacting-store.ts";
import { throughProxy } from "./postgres-harness.ts";

const LOST_ANSWERS = 100;

await describeWithServer("postgres", ({ url }) => {
  const setUp = (options?: Partial<PostgresStoreOptions>) => openTransacting(url, options);

  describe.each(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])("transact in %s", (isolation) => {
    const isolate = (transaction: PostgresClient) =>
      transaction.query(`SET TRANSACTION ISOLATION LEVEL ${isolation}`, []);

    it("writes the position with the user's rows, or neither", async () => {
      const { store, insert, countResults } = await setUp();
      const failing = store.transact(transactionOf(0n), async (transaction) => {
        await isolate(transaction);
        await insert(transaction);
        throw new Error("a test");
      });
      await expect(failing).rejects.toThrow("a test");
      expect(await countResults()).toBe(0);
      const outcome = await store.transact(transactionOf(0n, 5n), async (transaction) => {
        await isolate(transaction);
        await insert(transaction);
        expect(await positionsOf(store, [key])).toEqual([undefined]);
      });
      expect(outcome).toMatchObject({ status: "committed" });
      expect(await positionsOf(store, [key])).toEqual([5n]);
      expect(await countResults()).toBe(1);
    });

    it("runs the body again where the server gives the transaction up for another one", async () => {
      const { store, schema, client, insert, countResults } = await setUp();
      await client.query(`INSERT INTO ${schema}.results (total) VALUES (0)`);
      let attempts = 0;
      await store.transact(transactionOf(0n), async (transaction) => {
        attempts += 1;
        await isolate(transaction);
        await transaction.query(`SELECT FROM ${schema}.results`, []);
        // Behind its snapshot.
        if (attempts === 1) await client.query(`UPDATE ${schema}.results SET total = total + 1`);
        await transaction.query(`UPDATE ${schema}.results SET total = total + 1`, []);
        await insert(transaction);
      });
      expect(attempts).toBe(isolation === "READ COMMITTED" ? 1 : 2);
      expect((await client.query(`SELECT total FROM ${schema}.results ORDER BY id LIMIT 1`)).rows).toEqual([
        { total: 2 },
      ]);
      expect(await countResults()).toBe(2);
      expect(await positionsOf(store, [key])).toEqual([1n]);
    });

    it("takes nothing that somebody else has taken over: the user's rows go too, whenever it happens", async () => {
      const { store, schema, insert, countResults, namespace } = await setUp();
      const { store: other } = await openStore({ url, schema, namespace });
      let attempts = 0;
      const refused = store.transact(transactionOf(0n), async (transaction) => {
        attempts += 1;
        await isolate(transaction);
        await insert(transaction);
        if (attempts === 1) await other.claim([{ key, token: "other", owner: "other" }]);
      });
      await expect(refused).rejects.toMatchObject({ code: "CONFLICT", refusal: { status: "fenced" } });
      expect(await countResults()).toBe(0);
      expect(await positionsOf(store, [key])).toEqual([undefined]);
    });
  });

  it("runs both again, one after the other, that wait for each other's rows", async () => {
    const { store, schema, client } = await setUp();
    const keys = keysOf(2);
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    await client.query(`INSERT INTO ${schema}.results (total) VALUES (0), (0)`);
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const add = (transaction: PostgresClient, id: number) =>
      transaction.query(`UPDATE ${schema}.results SET total = total + 1 WHERE id = $1`, [id]);
    let attempts = 0;
    const run = (partition: number, mine: PromiseWithResolvers<void>, others: PromiseWithResolvers<void>) =>
      store.transact({ ...transactionOf(0n), key: { ...key, partition } }, async (transaction) => {
        attempts += 1;
        await add(transaction, partition + 1);
        mine.resolve();
        await others.promise;
        await add(transaction, 2 - partition);
      });
    await Promise.all([run(0, first, second), run(1, second, first)]);
    expect(attempts).toBe(3);
    expect((await client.query(`SELECT total FROM ${schema}.results`)).rows).toEqual([{ total: 2 }, { total: 2 }]);
    expect(await positionsOf(store, keys)).toEqual([1n, 1n]);
  });

  it("lets others have the rows of one that stands still, after its idle timeout, and then writes nothing", async () => {
    const events: OffsetStoreEvent[] = [];
    const { store, schema, insert, countResults, namespace } = await setUp({
      transactionIdleTimeout: 5_000,
      onEvent: (event) => events.push(event),
    });
    const { store: other } = await openStore({ url, schema, namespace });
    const [standing, thawed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let attempts = 0;
    const frozen = store.transact(transactionOf(0n), async (transaction) => {
      attempts += 1;
      await insert(transaction);
      if (attempts > 1) return;
      // The row of a position, and one of the other that is not there yet: a claim waits for both.
      await store.commit([{ key, token: "t", nextOffset: 1n, rewind: true }], { transaction });
      const created = { key: { ...key, partition: 1 }, token: "t", nextOffset: 1n, recreate: true, owner: "o" };
      await store.commit([created], { transaction });
      standing.resolve();
      await thawed.promise;
    });
    frozen.catch(() => undefined);
    await Promise.race([standing.promise, frozen]);
    const claims = keysOf(2).map((each) => ({ key: each, token: "other", owner: "other" }));
    expect(await other.claim(claims)).toMatchObject([{ status: "claimed" }, { status: "claimed" }]);
    thawed.resolve();
    await expect(frozen).rejects.toMatchObject({ code: "CONFLICT", refusal: { status: "fenced" } });
    expect(attempts).toBe(2);
    const said = events.flatMap((event) => (event.type === "retry" ? [event.error.message] : []));
    expect(said).toMatchObject([expect.stringContaining("raise transactionIdleTimeout")]);
    expect(await countResults()).toBe(0);
    expect(await positionsOf(store, keysOf(2))).toEqual([undefined, undefined]);
  });

  it("leaves the store's own work its connections, however many transactions wait", async () => {
    const { store, insert } = await setUp();
    const keys = keysOf(20);
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const release = Promise.withResolvers<void>();
    let begun = 0;
    const all = keys.map((each) =>
      store.transact({ ...transactionOf(0n), key: each }, async (transaction) => {
        begun += 1;
        await insert(transaction);
        await release.promise;
      }),
    );
    await expect.poll(() => begun).toBe(10);
    expect(await store.claim([{ key: { ...key, consumer: "c2" }, token: "t", owner: "o" }])).toMatchObject([
      { status: "claimed" },
    ]);
    release.resolve();
    await Promise.all(all);
    expect(new Set(await positionsOf(store, keys))).toEqual(new Set([1n]));
  });

  it(`writes once what it commits, though the answer to COMMIT is lost ${LOST_ANSWERS} times`, async () => {
    const { hostname, port } = new URL(url);
    await using proxy = await openTcpProxy({ host: hostname, port: Number(port), protocol: "postgres" });
    const { store, insert, countResults } = await setUp({ url: throughProxy(url, proxy.port) });
    await store.transact(transactionOf(0n), insert);
    for (let from = 1n; from <= LOST_ANSWERS; from += 1n) {
      const [match, isBefore] = [({ name }: { readonly name: string }) => name === "COMMIT", from % 4n === 0n];
      const lost = isBefore ? proxy.cutBeforeRequest({ match }) : proxy.cutAfterRequest({ match });
      let attempts = 0;
      await store.transact(transactionOf(from), async (transaction) => {
        attempts += 1;
        await insert(transaction);
      });
      await lost;
      // Of a commit that never arrived nothing is there, and the body runs again.
      expect(attempts).toBe(isBefore ? 2 : 1);
    }
    expect(await countResults()).toBe(LOST_ANSWERS + 1);
    expect(await positionsOf(store, [key])).toEqual([BigInt(LOST_ANSWERS + 1)]);
  });

  it("refuses a body that ends the transaction itself", async () => {
    const { store, insert } = await setUp();
    const ending = store.transact(transactionOf(0n), async (transaction) => {
      await insert(transaction);
      await transaction.query("COMMIT", []);
    });
    await expect(ending).rejects.toThrow("no transaction open");
    expect(await positionsOf(store, [key])).toEqual([undefined]);
  });
});

it("takes turns on the one connection of a PGlite", async () => {
  await using database = await PGlite.create();
  const { store: opened } = await openStore({ client: database, pool: database, namespace: newName() });
  const store = transacting(opened);
  await store.claim([{ key, token: "t", owner: "o" }]);
  await database.query("CREATE TABLE results (total integer)");
  const insert = (transaction: PostgresClient) => transaction.query("INSERT INTO results VALUES ($1)", [99]);
  await expect(
    store.transact(transactionOf(0n), async (transaction) => {
      await insert(transaction);
      throw new Error("a test");
    }),
  ).rejects.toThrow("a test");
  const flushed: unknown[] = [];
  await store.transact(transactionOf(0n, 5n), async (transaction) => {
    await insert(transaction);
    // Not awaited: it has its turn afterwards.
    void store.fetch([key]).then((found) => flushed.push(found));
  });
  await expect.poll(() => flushed).toMatchObject([[{ record: { nextOffset: 5n } }]]);
  expect((await database.query("SELECT FROM results")).rows.length).toBe(1);
});
