import { OffsetStoreError } from "@tidemark/core";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer, launchOrSkip } from "@tidemark/test-support/servers";
import { Client } from "pg";
import { expect, it, onTestFinished } from "vitest";
import { openPostgresStore } from "../src/index.ts";
import { key, newName, openClient, openPool, openStore, ownSchema, ownUser, positionsOf } from "./open-store.ts";
import { throughProxy } from "./postgres-harness.ts";

const SECRET = "s3cr3t-word";

/** What opening a store comes to, if it fails. */
async function failureOf(opening: Promise<unknown>): Promise<OffsetStoreError> {
  const error: unknown = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OffsetStoreError);
  expect(String(error)).not.toContain(SECRET);
  return error as OffsetStoreError;
}

await describeWithServer("postgres", ({ url }) => {
  it("tells that the password is wrong", async () => {
    const admin = await openClient(url);
    await admin.query("DO $$ BEGIN CREATE ROLE with_password; EXCEPTION WHEN duplicate_object THEN END $$");
    const own = await ownUser(url, "PASSWORD 'right' IN ROLE with_password");
    const withSecret = new URL(own.url);
    withSecret.password = SECRET;
    const wrong = await failureOf(openPostgresStore({ url: withSecret.href }));
    expect(wrong).toMatchObject({ code: "PERMISSION_DENIED", retryable: false, operation: "open" });
    expect(wrong.message).toContain("check user and password");
    const none = await failureOf(openPostgresStore({ url: own.url }));
    expect(none).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
  });

  it("tells that nothing listens there, that a name leads nowhere, and that a server has no TLS", async () => {
    const proxy = await openTcpProxy({ port: Number(new URL(url).port) });
    await proxy.close();
    const closed = await failureOf(openPostgresStore({ url: throughProxy(url, proxy.port) }));
    expect(closed).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    expect(closed.message).toContain(`ECONNREFUSED 127.0.0.1:${proxy.port}`);
    const nowhere = await failureOf(openPostgresStore({ url: `postgres://user:${SECRET}@nowhere.invalid/app` }));
    expect(nowhere).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    const plain = await failureOf(openPostgresStore({ url: `${url}?sslmode=verify-full` }));
    expect(plain).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(plain.message).toContain("check the URL's sslmode");
  });

  it("gives up opening in time if nobody answers", async () => {
    await using proxy = await openTcpProxy({ port: Number(new URL(url).port) });
    proxy.silence();
    const silent = await failureOf(openPostgresStore({ url: throughProxy(url, proxy.port), timeout: 300 }));
    expect(silent).toMatchObject({ code: "TIMEOUT", retryable: true, operation: "open" });
  });

  it("tells that no connection of the user's pool was free in time", async () => {
    const pool = openPool(url, { max: 1 });
    const taken = await pool.connect();
    onTestFinished(() => taken.release());
    pool.options.connectionTimeoutMillis = 100;
    const busy = await failureOf(openPostgresStore({ client: pool }));
    expect(busy).toMatchObject({ code: "TIMEOUT", retryable: true, operation: "open" });
    expect(busy.message).toContain("no connection to PostgreSQL was free");
  });

  it("tells that a database or a schema is not there", async () => {
    const elsewhere = new URL(url);
    elsewhere.pathname = newName();
    const database = await failureOf(openPostgresStore({ url: elsewhere.href }));
    expect(database).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(database.message).toContain("there is no such database");
    const schema = await failureOf(openPostgresStore({ url, schema: newName() }));
    expect(schema).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(schema.message).toContain("there is no such schema");
  });

  it("tells which rights are missing: to make the table, to read, to write", async () => {
    const schema = await ownSchema(url);
    const { user, url: limited } = await ownUser(url, "");
    const admin = await openClient(url);
    await admin.query(`GRANT USAGE ON SCHEMA ${schema} TO ${user}`);
    const noTable = await failureOf(openPostgresStore({ url: limited, schema }));
    expect(noTable).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
    expect(noTable.message).toContain("CREATE on the schema");
    await openStore({ url, schema });
    const { store } = await openStore({ url: limited, schema });
    const reading = await failureOf(store.fetch([key]));
    expect(reading).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
    expect(reading.message).toContain(`SELECT, INSERT, UPDATE, DELETE on "${schema}"."tidemark_offsets"`);
    await admin.query(`GRANT SELECT ON ${schema}.tidemark_offsets TO ${user}`);
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
    const writing = await failureOf(store.claim([{ key, token: "t", owner: "o" }]));
    expect(writing).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
    await admin.query(`GRANT INSERT, UPDATE, DELETE ON ${schema}.tidemark_offsets TO ${user}`);
    expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([{ status: "claimed" }]);
  });

  it("waits for a server that only reads to take writes, and reads meanwhile", async () => {
    const own = await ownUser(url, "SUPERUSER");
    const { store } = await openStore({ url: own.url });
    await store.claim([{ key, token: "t", owner: "o" }]);
    const admin = await openClient(url);
    // What a server that was a primary says after a failover.
    await admin.query(`ALTER ROLE ${own.user} SET default_transaction_read_only = on`);
    await terminateAll(admin, own.user);
    expect(await positionsOf(store, [key])).toEqual([undefined]);
    const refused = await failureOf(store.commit([{ key, token: "t", nextOffset: 1n }]));
    expect(refused).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    expect(refused.message).toContain("the server is read-only");
    await admin.query(`ALTER ROLE ${own.user} RESET default_transaction_read_only`);
    // Nobody ends the store's connections: it has let go of those that only read.
    expect(await store.commit([{ key, token: "t", nextOffset: 1n }])).toEqual([{ status: "committed" }]);
  });

  it.each([
    ["53100", "UNAVAILABLE", true, "disk is full"],
    ["53300", "UNAVAILABLE", true, "too many connections"],
    ["57P01", "UNAVAILABLE", true, "try again"],
    ["57P03", "UNAVAILABLE", true, "try again"],
    ["25006", "UNAVAILABLE", true, "is read-only"],
    ["57014", "TIMEOUT", true, "the server cancelled the statement"],
    ["42501", "PERMISSION_DENIED", false, "grant it"],
    ["42P01", "UNSUPPORTED", false, "is missing or was changed"],
    ["42703", "UNSUPPORTED", false, "is missing or was changed"],
    ["42804", "UNSUPPORTED", false, "is missing or was changed"],
    ["P0001", "UNKNOWN", false, "raised by a test"],
  ] as const)("takes %s for %s, retryable %s", async (state, code, retryable, text) => {
    const table = newName("table");
    const { store } = await openStore({ url, table });
    const admin = await openClient(url);
    await admin.query(
      `CREATE FUNCTION ${table}_fails() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'raised by a test' USING ERRCODE = '${state}'; END $$`,
    );
    await admin.query(
      `CREATE TRIGGER fails BEFORE INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION ${table}_fails()`,
    );
    onTestFinished(async () => {
      await admin.query(`DROP TABLE ${table}`);
      await admin.query(`DROP FUNCTION ${table}_fails`);
    });
    const failed = await failureOf(store.claim([{ key, token: "t", owner: "o" }]));
    expect(failed).toMatchObject({ code, retryable, operation: "claim", keys: [key] });
    expect(failed.message).toContain(text);
    await admin.query(`DROP TRIGGER fails ON ${table}`);
    expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([{ status: "claimed" }]);
  });

  it("tries again with a pool that has its own query_timeout when the server falls silent", async () => {
    await using proxy = await openTcpProxy({ port: Number(new URL(url).port) });
    const timeouts = { query_timeout: 1_000, connectionTimeoutMillis: 1_000 };
    const pool = openPool(throughProxy(url, proxy.port), timeouts);
    const { store } = await openStore({ client: pool, timeout: 3_000 });
    await store.claim([{ key, token: "t", owner: "o" }]);
    proxy.silence();
    const failed = await failureOf(store.commit([{ key, token: "t", nextOffset: 1n }]));
    expect(failed).toMatchObject({ code: "TIMEOUT", retryable: true });
  });

  it("takes statements that gave way to others for conflicts: nobody is told", async () => {
    const table = newName("table");
    const events: unknown[] = [];
    const { store } = await openStore({ url, table, onEvent: (event) => events.push(event) });
    const admin = await openClient(url);
    await admin.query(`CREATE SEQUENCE ${table}_count`);
    await admin.query(
      `CREATE FUNCTION ${table}_fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         CASE nextval('${table}_count')
           WHEN 1 THEN RAISE EXCEPTION 'a test' USING ERRCODE = '40P01';
           WHEN 2 THEN RAISE EXCEPTION 'a test' USING ERRCODE = '40001';
           WHEN 3 THEN RAISE EXCEPTION 'a test' USING ERRCODE = '55P03';
           ELSE RETURN NULL;
         END CASE;
       END $$`,
    );
    await admin.query(
      `CREATE TRIGGER fails BEFORE INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION ${table}_fails()`,
    );
    onTestFinished(async () => {
      await admin.query(`DROP TABLE ${table}`);
      await admin.query(`DROP FUNCTION ${table}_fails`);
      await admin.query(`DROP SEQUENCE ${table}_count`);
    });
    expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([{ status: "claimed" }]);
    expect(events).toEqual([]);
  });

  it("goes on after an operator has ended its connections, and keeps the process alive", async () => {
    const own = await ownUser(url, "SUPERUSER");
    const admin = await openClient(url);
    for (const { store } of [await openStore({ url: own.url }), await openStore({ client: openPool(own.url) })]) {
      await store.claim([{ key, token: "t", owner: "o" }]);
      await terminateAll(admin, own.user);
      expect(await store.commit([{ key, token: "t", nextOffset: 1n }])).toEqual([{ status: "committed" }]);
    }
  });

  it("says that a single client does not come back", async () => {
    const own = await ownUser(url, "SUPERUSER");
    const client = new Client({ connectionString: own.url });
    await client.connect();
    const { store } = await openStore({ client });
    await store.claim([{ key, token: "t", owner: "o" }]);
    const gone = new Promise((resolve) => client.once("end", resolve));
    await terminateAll(await openClient(url), own.user);
    await gone;
    const failed = await failureOf(store.commit([{ key, token: "t", nextOffset: 1n }]));
    expect(failed).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    expect(failed.message).toContain("give the store a pool");
  });
});

it("goes on after a restart of the server, with all that was acknowledged", async ({ skip }) => {
  const server = await launchOrSkip("postgres", skip);
  onTestFinished(() => server.stop());
  const { store } = await openStore({ url: server.url });
  await store.claim([{ key, token: "t", owner: "o" }]);
  let last = 0n;
  const commitTo = async (target: bigint): Promise<void> => {
    while (last < target) {
      const committed = store.commit([{ key, token: "t", nextOffset: last + 1n }]);
      const outcome: unknown = await committed.catch((error: OffsetStoreError) => error);
      if (outcome instanceof OffsetStoreError) expect(outcome).toMatchObject({ code: "UNAVAILABLE", retryable: true });
      else {
        expect(outcome).toEqual([{ status: "committed" }]);
        last += 1n;
      }
    }
  };
  await commitTo(20n);
  const committing = commitTo(120n);
  await server.restart();
  await committing;
  expect(await positionsOf(store, [key])).toEqual([120n]);
});

/** Ends all connections of a user, and waits until they are gone. */
async function terminateAll(admin: Client, user: string): Promise<void> {
  await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [user]);
  const left = "SELECT FROM pg_stat_activity WHERE usename = $1";
  await expect.poll(async () => (await admin.query(left, [user])).rows.length).toBe(0);
}
