import { describeWithServer } from "@tidemark/test-support/servers";
import { Client, Pool } from "pg";
import { expect, it, onTestFinished } from "vitest";
import { openPostgresStore } from "../src/index.ts";
import { collect, key, keysOf, newName, openClient, openPool, openStore, ownSchema } from "./open-store.ts";

it.each([
  [{}, "give either client"],
  [{ url: "postgres://h/db", client: { query: () => undefined } }, "give either client"],
  [{ url: "mysql://h/db" }, "url must be a connection string"],
  [{ url: 7 }, "url must be a connection string"],
  [{ url: "postgres://user:s3cr3t@h:port/db" }, "pg cannot parse url"],
  [{ client: {} }, "client must have query(text, values)"],
  [{ client: "postgres" }, "client must have query(text, values)"],
  [{ url: "postgres://h/db", table: "" }, "table must have 1 to 50 bytes"],
  [{ url: "postgres://h/db", table: "x".repeat(51) }, "table must have 1 to 50 bytes"],
  [{ url: "postgres://h/db", schema: "a$b" }, "schema must have 1 to 50 bytes"],
  [{ url: "postgres://h/db", schema: 7 }, "schema must be a string"],
  [{ url: "postgres://h/db", tables: "a" }, 'there is no option "tables"'],
])("refuses %o", async (options, message) => {
  const opening = openPostgresStore(options as never);
  await expect(opening).rejects.toThrow(TypeError);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.not.toThrow("s3cr3t");
});

await describeWithServer("postgres", ({ url }) => {
  it("makes its table once, however many open at the same time", async () => {
    const schema = await ownSchema(url);
    const stores = await Promise.all(Array.from({ length: 12 }, () => openStore({ url, schema, namespace: "n" })));
    const [first] = stores;
    await first?.store.claim([{ key, token: "t", owner: "o" }]);
    for (const { store } of stores) expect(await collect(store.list())).toMatchObject([key]);
  });

  it("takes any names for schema and table", async () => {
    const client = await openClient(url);
    const schema = `Own "schema" ${newName()}`;
    await client.query(`CREATE SCHEMA "${schema.replaceAll('"', '""')}"`);
    onTestFinished(async () => void (await client.query(`DROP SCHEMA "${schema.replaceAll('"', '""')}" CASCADE`)));
    for (const table of ["user", "it's", 'a"b', "Größe"]) {
      for (const _ of ["made", "found"]) {
        const { store } = await openStore({ url, schema, table, namespace: "n" });
        await store.claim([{ key, token: "t", owner: "o" }]);
        expect(await collect(store.list())).toMatchObject([key]);
      }
    }
  });

  it.each([
    ["a column is missing", "ALTER TABLE $ DROP COLUMN reclaim_at", "has no column reclaim_at"],
    ["a column is another", "ALTER TABLE $ ALTER partition TYPE bigint", 'has with "bigint" another column partition'],
    ["names are compared otherwise", 'ALTER TABLE $ ALTER topic TYPE text COLLATE "default"', "another column topic"],
    ["the key is missing", "ALTER TABLE $ DROP CONSTRAINT tidemark_offsets_pkey", "has no primary key"],
    ["it is a view", "ALTER TABLE $ RENAME TO old; CREATE VIEW $ AS SELECT * FROM $schema.old", "has no primary key"],
  ])("refuses a table of which %s, and leaves it as it is", async (_, change, message) => {
    const schema = await ownSchema(url);
    await openStore({ url, schema });
    const client = await openClient(url);
    await client.query(change.replaceAll("$schema", schema).replaceAll("$", `${schema}.tidemark_offsets`));
    const opening = openPostgresStore({ url, schema });
    await expect(opening).rejects.toMatchObject({ code: "UNSUPPORTED", retryable: false, operation: "open" });
    await expect(opening).rejects.toThrow(message);
  });

  it("takes a table with more columns, if they need no value", async () => {
    const schema = await ownSchema(url);
    await openStore({ url, schema });
    const client = await openClient(url);
    await client.query(
      `ALTER TABLE ${schema}.tidemark_offsets ADD COLUMN note text, ADD COLUMN made_at date DEFAULT now()`,
    );
    const { store } = await openStore({ url, schema });
    expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([{ status: "claimed" }]);
  });

  it("listens to errors of what it was given while it is open, and closes nothing of it", async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    onTestFinished(() => client.end());
    for (const given of [openPool(url), client]) {
      const before = given.listenerCount("error");
      const one = await openPostgresStore({ client: given, namespace: newName() });
      const other = await openPostgresStore({ client: given, namespace: newName() });
      expect(given.listenerCount("error")).toBe(before + 1);
      await one.close();
      expect(given.listenerCount("error")).toBe(before + 1);
      await other.close();
      expect(given.listenerCount("error")).toBe(before);
      expect((await given.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    }
  });

  it("keeps no listener on the clients of a pool", async () => {
    const pool = openPool(url, { max: 1 });
    const { store } = await openStore({ client: pool });
    await store.claim([{ key, token: "t", owner: "o" }]);
    const client = await pool.connect();
    const count = client.listenerCount("error");
    client.release();
    for (let round = 0; round < 20; round += 1) await store.fetch([key]);
    const again = await pool.connect();
    expect(again).toBe(client);
    expect(again.listenerCount("error")).toBe(count);
    again.release();
  });

  it("gives connections back unused of calls that are aborted while they wait for one", async () => {
    const pool = openPool(url, { max: 1 });
    const { store } = await openStore({ client: pool });
    const { store: transacting } = await openStore({ client: openPool(url), pool });
    const client = await pool.connect();
    let removed = 0;
    pool.on("remove", () => (removed += 1));
    const abort = new AbortController();
    const { signal } = abort;
    const transaction = { key, token: "t", from: 0n, nextOffset: 1n };
    const calls = [
      ...keysOf(20).map((each) => store.fetch([each], { signal })),
      ...keysOf(20).map(() => transacting.transact?.(transaction, () => undefined, { signal })),
    ];
    await expect.poll(() => pool.waitingCount).toBe(40);
    abort.abort(new Error("enough"));
    for (const call of calls) await expect(call).rejects.toThrow("enough");
    client.release();
    expect(await store.fetch([key])).toMatchObject([{ status: "absent" }]);
    expect(removed).toBe(0);
    const again = await pool.connect();
    expect(again).toBe(client);
    again.release();
  });

  it("leaves no connection behind", async () => {
    const name = newName("app");
    const store = await openPostgresStore({ url: `${url}?application_name=${name}`, namespace: newName() });
    const looker = await openClient(url);
    const connections = async () =>
      (await looker.query("SELECT FROM pg_stat_activity WHERE application_name = $1", [name])).rows.length;
    await Promise.all(Array.from({ length: 20 }, () => store.fetch([key])));
    expect(await connections()).toBeGreaterThan(0);
    expect(await connections()).toBeLessThanOrEqual(4);
    await store.close();
    await expect.poll(connections).toBe(0);
  });

  it("is told apart from the user's connections by its name", async () => {
    await openStore({ url });
    const looker = await openClient(url);
    const { rows } = await looker.query("SELECT FROM pg_stat_activity WHERE application_name = 'tidemark'");
    expect(rows.length).toBeGreaterThan(0);
  });

  it("does not wait for ever for a pool that its user has used up", async () => {
    const pool = new Pool({ connectionString: url, max: 1 });
    onTestFinished(() => pool.end());
    const { store } = await openStore({ client: pool, timeout: 3_000 });
    const taken = await pool.connect();
    await expect(store.fetch([key])).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
    taken.release();
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
  });
});
