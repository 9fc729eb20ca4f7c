import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { Connections } from "../src/postgres-client.ts";
import { PostgresDriver } from "../src/postgres-driver.ts";
import { collect, key, keysOf, openClient, openPool, openStore, ownSchema } from "./open-store.ts";

await describeWithServer("postgres", ({ url }) => {
  /** A store, and the statements that it sends while something is done, by their first words. */
  async function watchedStore() {
    const client = await openClient(url);
    let sent: string[] = [];
    const watched = {
      query(text: string, values: unknown[]) {
        sent.push(/^\w+/u.exec(text)?.[0] ?? text);
        return client.query(text, values);
      },
    };
    const schema = await ownSchema(url);
    const { store } = await openStore({ client: watched, schema });
    const statementsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
      sent = [];
      await work();
      return sent;
    };
    return { store, statementsOf, client, table: `${schema}.tidemark_offsets` };
  }

  it.each([1, 100, 10_000])("%d entries: one statement a flush, two a claim", async (count) => {
    const { store, statementsOf } = await watchedStore();
    const keys = keysOf(count);
    const each = (more: object) => keys.map((one) => ({ key: one, token: "t", owner: "o", ...more }));
    expect(await statementsOf(() => store.claim(each({})))).toEqual(["SELECT", "INSERT"]);
    expect(await statementsOf(() => store.claim(each({ token: "u" })))).toEqual(["SELECT", "UPDATE"]);
    expect(await statementsOf(() => store.commit(each({ token: "u", nextOffset: 1n })))).toEqual(["UPDATE"]);
    expect(await statementsOf(() => store.commit(each({ token: "u", nextOffset: 2n })))).toEqual(["UPDATE"]);
    expect(await statementsOf(() => store.fetch(keys))).toEqual(["SELECT"]);
    // A refusal is decided by what was just read.
    expect(await statementsOf(() => store.commit(each({ token: "u", nextOffset: 0n })))).toEqual(["SELECT"]);
    expect(await statementsOf(() => store.delete({ keys }))).toEqual(["SELECT", "DELETE"]);
  });

  it("claims what is there and what is not in one statement", async () => {
    const { store, statementsOf } = await watchedStore();
    await store.claim(keysOf(50).map((one) => ({ key: one, token: "t", owner: "o" })));
    const claim = () => store.claim(keysOf(100).map((one) => ({ key: one, token: "u", owner: "o" })));
    expect(await statementsOf(claim)).toEqual(["SELECT", "WITH"]);
  });

  it("answers no time for changes of which some were written by a second statement, and so have another", async () => {
    const schema = await ownSchema(url);
    const { namespace } = await openStore({ url, schema });
    const pool = openPool(url);
    const client = {
      async query(text: string, values: unknown[]) {
        // So that the server's clock moves on.
        if (text.startsWith("INSERT")) await pool.query("SELECT pg_sleep(0.005)");
        return pool.query(text, values);
      },
    };
    const driver = new PostgresDriver({
      connections: new Connections(client),
      table: `${schema}.tidemark_offsets`,
      namespace,
      durability: "synced",
      transactions: undefined,
      close: async () => undefined,
    });
    const context = { signal: new AbortController().signal, timed: true };
    const [stored, absent] = keysOf(2).map((one) => ({ key: one, value: "{}", reclaimAfter: undefined }));
    if (stored === undefined || absent === undefined) throw new Error("no key");
    await driver.write([{ ...stored, version: "v".repeat(12), expected: [null] }], context);
    const version = "w".repeat(12);
    const either = { version, expected: ["v".repeat(12), null] };
    const { writtenAt, changes } = await driver.write(
      [
        { ...stored, ...either },
        { ...absent, ...either },
      ],
      context,
    );
    expect(changes ?? ["written", "written"]).toEqual(["written", "written"]);
    const { entries } = await driver.read([stored.key, absent.key], context);
    expect(entries).toMatchObject([{ version }, { version }]);
    for (const entry of entries) expect(entry).toMatchObject(writtenAt === undefined ? {} : { writtenAt });
    // What one statement writes has one.
    const both = { version: "x".repeat(12), expected: [version] };
    const again = await driver.write(
      [
        { ...stored, ...both },
        { ...absent, ...both },
      ],
      context,
    );
    expect(again.writtenAt).toBeTypeOf("number");
  });

  it("lists in a statement for each thousand records", async () => {
    const { store, statementsOf } = await watchedStore();
    await store.claim(keysOf(2_500).map((one) => ({ key: one, token: "t", owner: "o" })));
    for (const filter of [{}, { consumer: "c1" }, { topic: "orders" }, { consumer: "c1", topic: "orders" }]) {
      const listing = async () => expect(await collect(store.list(filter))).toHaveLength(2_500);
      expect(await statementsOf(listing)).toEqual(["SELECT", "SELECT", "SELECT"]);
    }
  });

  it("changes no index with a commit, with a time to live neither", async () => {
    const { store, client, table } = await watchedStore();
    const entry = { key, token: "t", owner: "o", ttl: 3_600_000 };
    await store.claim([entry]);
    for (let nextOffset = 1n; nextOffset <= 50n; nextOffset += 1n) await store.commit([{ ...entry, nextOffset }]);
    const updates = async () => {
      const statistics = "SELECT n_tup_upd::text AS all, n_tup_hot_upd::text AS hot FROM pg_stat_all_tables";
      const { rows } = await client.query<{ all: string; hot: string }>(`${statistics} WHERE relid = $1::regclass`, [
        table,
      ]);
      return rows[0];
    };
    await expect.poll(async () => (await updates())?.all).toBe("50");
    // Unless a minute ends meanwhile, and with it the place in the index by which expired rows are found.
    expect(Number((await updates())?.hot)).toBeGreaterThanOrEqual(49);
  });

  it("removes expired rows of its namespace once a minute", async () => {
    const { store, statementsOf, client, table } = await watchedStore();
    const { store: elsewhere } = await openStore({ url, schema: table.split(".")[0] });
    const mortal = keysOf(3).map((one) => ({ key: one, token: "t", owner: "o", ttl: 1 }));
    await store.claim(mortal);
    await elsewhere.claim(mortal);
    // The server takes them for expired for long; the first one is not.
    await client.query(`UPDATE ${table} SET reclaim_at = now() - interval '1 hour' WHERE partition > 0`);
    const other = { key: { ...key, partition: 9 }, token: "t", owner: "o" };
    expect(await statementsOf(() => store.claim([other]))).toEqual(["SELECT", "INSERT"]);
    const realNow = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => realNow() + 61_000);
    onTestFinished(() => void vi.restoreAllMocks());
    const commit = (nextOffset: bigint) => statementsOf(() => store.commit([{ ...other, nextOffset }]));
    expect(await commit(1n)).toEqual(["DELETE", "UPDATE"]);
    expect(await commit(2n)).toEqual(["UPDATE"]);
    const left = `SELECT partition FROM ${table} WHERE namespace = $1 ORDER BY partition`;
    expect((await client.query(left, [store.namespace])).rows).toEqual([{ partition: 0 }, { partition: 9 }]);
    expect((await client.query(left, [elsewhere.namespace])).rows).toHaveLength(3);
  });

  it("has the server find what may be removed by an index", async () => {
    const { store, client, table } = await watchedStore();
    await store.claim(keysOf(1_000).map((one) => ({ key: one, token: "t", owner: "o", ttl: 3_600_000 })));
    await client.query(`INSERT INTO ${table} SELECT 'other', consumer, topic, partition, member, version, value, written_at
      FROM ${table}, generate_series(1, 20) AS s (partition_of) WHERE partition_of = 1`);
    await client.query(`ANALYZE ${table}`);
    const { rows } = await client.query(
      `EXPLAIN SELECT FROM ${table} WHERE namespace = 'n' AND reclaim_at <= now() LIMIT 5000`,
    );
    expect(JSON.stringify(rows)).toContain("tidemark_offsets_reclaim");
  });
});
