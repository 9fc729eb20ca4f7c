import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { OffsetStoreError } from "@tidemark/core";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { type MongoStoreOptions, openMongoStore } from "../src/index.ts";
import { hasTransactions, throughProxy } from "./mongo-harness.ts";
import { collect, DATABASE, key, openClient, openStore, ownCollection } from "./open-store.ts";

const SECRET = "s3cr3t";

async function refusal(opening: Promise<unknown>): Promise<OffsetStoreError> {
  const error: unknown = await opening.then(
    () => new Error("it was opened"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof OffsetStoreError)) throw error;
  expect(error.operation).toBe("open");
  expect(error.message).not.toContain(SECRET);
  return error;
}

describe("openMongoStore refuses", () => {
  it.each([
    [{}, "give either client"],
    [{ client: 1 }, "client must be a MongoClient"],
    [{ url: "redis://h" }, "url must be a connection string"],
    [{ url: `mongodb://u:${SECRET}@h@h/db` }, "cannot parse url"],
    [{ url: `mongodb://u:${SECRET}@h/db?nonsense=1` }, "cannot parse url"],
    [{ url: `mongodb://u:1/${SECRET}@h` }, "cannot parse url"],
    [{ url: `mongodb://u:1?${SECRET}@h/db` }, "cannot parse url"],
    [{ url: `mongodb://u:${SECRET}@h/100%` }, "write it as %25"],
    [{ url: "mongodb://h", collection: "" }, "collection must not be empty"],
    [{ url: "mongodb://h", collection: 5 }, "collection must be a string"],
    [{ url: "mongodb://h", database: "a.b" }, "cannot contain"],
    [{ url: "mongodb://h", writeConcern: { w: 0 } }, "w: 0"],
    [{ url: "mongodb://h", writeConcern: "majority" }, "writeConcern must be an object"],
    [{ url: "mongodb://h", namespace: "" }, "namespace must not be empty"],
  ])("%j", async (options, message) => {
    const opening = openMongoStore(options as unknown as MongoStoreOptions);
    await expect(opening).rejects.toThrow(TypeError);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.not.toThrow(SECRET);
  });

  it("an unreachable host, in time, saying which and why", async () => {
    const error = await refusal(openMongoStore({ url: `mongodb://u:${SECRET}@127.0.0.1:1/db`, timeout: 3_000 }));
    expect(error).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    expect(error.message).toMatch(/127\.0\.0\.1:1 .*ECONNREFUSED/);
  });

  it("a server that accepts and never answers, in time, also on a caller's patient client", async () => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const client = openClient(`mongodb://u:${SECRET}@127.0.0.1:${port}`);
    const startedAt = performance.now();
    const error = await refusal(openMongoStore({ client, timeout: 500 }));
    expect(error).toMatchObject({ code: "TIMEOUT", retryable: true });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

await describeWithServer("mongo", ({ url }) => {
  describe("openMongoStore", () => {
    it("opens by URL in the database that it names, and closes what it opened", async () => {
      const store = await openMongoStore({ url: new URL(DATABASE, url).href });
      await store.fetch([key]);
      await store.close();
      await expect(store.fetch([key])).rejects.toMatchObject({ code: "CLOSED" });
      expect(store).toMatchObject({ name: "mongo", namespace: "tidemark" });
    });

    it("leaves a caller's client open, and as it is set: an int64 that it reads as a number too (contract 3.9d)", async () => {
      const client = openClient(url, { promoteLongs: true, ignoreUndefined: true, monitorCommands: true });
      const { store, documents, id } = await openStore(url, { client });
      await store.claim([{ key, token: "t", owner: "o" }]);
      await store.commit([{ key, token: "t", nextOffset: 2n ** 53n + 1n }]);
      expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 2n ** 53n + 1n } }]);
      await store.commit([{ key, token: "t", nextOffset: 2n ** 53n + 2n }]);
      await store.close();
      expect(await documents.findOne({ _id: id })).toMatchObject({
        topic: "orders",
        writtenAt: expect.any(Date) as Date,
      });
      expect(client.listenerCount("serverHeartbeatFailed")).toBe(0);
    });

    it.each([
      { promoteValues: false },
      { promoteLongs: false },
      { useBigInt64: true },
      { raw: true },
      { bsonRegExp: true },
    ])("works on a client with %j", async (options) => {
      const { store } = await openStore(url, { client: openClient(url, options) });
      expect(await store.claim([{ key, token: "$t", owner: "$o", ttl: 60_000 }])).toMatchObject([
        { status: "claimed" },
      ]);
      await store.commit([{ key, token: "$t", nextOffset: 5n, metadata: "$metadata" }]);
      const expected = { nextOffset: 5n, metadata: "$metadata", owner: "$o", ttl: 60_000 };
      expect(await store.claim([{ key, token: "t2", owner: "o" }])).toMatchObject([{ record: expected }]);
      expect(await collect(store.list())).toMatchObject([{ ...expected, owner: "o" }]);
      expect(await store.delete({ keys: [key] })).toEqual([key]);
    });

    it("makes its indexes once, also when many open at once", async () => {
      const client = openClient(url);
      const collection = ownCollection(client);
      await Promise.all(Array.from({ length: 10 }, () => openStore(url, { client, collection })));
      const indexes = await client.db(DATABASE).collection(collection).indexes();
      expect(new Set(indexes.map(({ name }) => name))).toEqual(new Set(["_id_", "tidemark_expiry", "tidemark_topic"]));
      expect(indexes).toHaveLength(3);
      expect(indexes.find(({ name }) => name === "tidemark_expiry")).toMatchObject({
        expireAfterSeconds: 0,
        partialFilterExpression: { expiresAt: { $type: "date" } },
      });
    });

    it.each([
      ["of another key under the same name", { other: 1 }, { name: "tidemark_expiry" }],
      ["that is no TTL index under the same name", { expiresAt: 1 }, { name: "tidemark_expiry" }],
      ["that is late under the same name", { expiresAt: 1 }, { name: "tidemark_expiry", expireAfterSeconds: 60 }],
      [
        "of some other records under the same name",
        { expiresAt: 1 },
        { name: "tidemark_expiry", expireAfterSeconds: 0, partialFilterExpression: { topic: "orders" } },
      ],
    ] as const)("refuses an index %s", async (_, fields, options) => {
      const client = openClient(url);
      const collection = ownCollection(client);
      await client
        .db(DATABASE)
        .collection(collection)
        .createIndex({ ...fields }, options);
      const error = await refusal(openMongoStore({ client, database: DATABASE, collection }));
      expect(error).toMatchObject({ code: "UNSUPPORTED", retryable: false });
      expect(error.message).toContain(`${JSON.stringify(collection)} has an index that conflicts with`);
    });

    it("makes its own beside an index on the same key that does not do", async () => {
      const client = openClient(url);
      const collection = ownCollection(client);
      const documents = client.db(DATABASE).collection(collection);
      await documents.createIndex({ expiresAt: 1 }, { name: "late", expireAfterSeconds: 60 });
      await openStore(url, { client, collection });
      const names = (await documents.indexes()).map(({ name }) => name);
      expect(new Set(names)).toEqual(new Set(["_id_", "late", "tidemark_expiry", "tidemark_topic"]));
    });

    it("takes an index over all records for the partial one, and makes only what is missing", async () => {
      const client = openClient(url);
      const collection = ownCollection(client);
      const documents = client.db(DATABASE).collection(collection);
      await documents.createIndex({ expiresAt: 1 }, { name: "tidemark_expiry", expireAfterSeconds: 0 });
      await openStore(url, { client, collection });
      const indexes = await documents.indexes();
      expect(new Set(indexes.map(({ name }) => name))).toEqual(new Set(["_id_", "tidemark_expiry", "tidemark_topic"]));
    });

    it("takes an index of the same kind under another name", async () => {
      const client = openClient(url);
      const collection = ownCollection(client);
      const documents = client.db(DATABASE).collection(collection);
      await documents.createIndex({ expiresAt: 1 }, { name: "theirs", expireAfterSeconds: 0 });
      await documents.createIndex({ namespace: 1, topic: 1, _id: 1 });
      await openStore(url, { client, collection });
      expect(await documents.indexes()).toHaveLength(3);
    });

    it("refuses a collection with a collation, a capped one, and a view, where the server knows such", async () => {
      const client = openClient(url);
      const database = client.db(DATABASE);
      const [collated, capped] = [ownCollection(client), ownCollection(client)];
      await database.createCollection(collated, { collation: { locale: "en", strength: 2 } });
      await database
        .createCollection(capped, { capped: true, size: 4_096 })
        .catch(() => database.createCollection(capped));
      const view = ownCollection(client);
      await database.createCollection(view, { viewOn: collated, pipeline: [] });
      for (const collection of [collated, capped, view]) {
        const [info] = await database.listCollections({ name: collection }, { nameOnly: false }).toArray();
        // FerretDB takes each of these options, and forgets it.
        if (Object.keys(info?.options ?? {}).length === 0) continue;
        expect(await refusal(openMongoStore({ client, database: DATABASE, collection }))).toMatchObject({
          code: "UNSUPPORTED",
        });
      }
    });

    it("says what wrong credentials are, without them (contract 3.3e)", async () => {
      const { host } = new URL(url);
      const error = await refusal(openMongoStore({ url: `mongodb://nobody:${SECRET}@${host}/db`, timeout: 5_000 }));
      expect(error).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
    });

    it("says that TLS does not match, in time", async () => {
      const { host } = new URL(url);
      const error = await refusal(openMongoStore({ url: `mongodb://u:${SECRET}@${host}/db?tls=true`, timeout: 5_000 }));
      expect(error).toMatchObject({ code: "UNAVAILABLE", retryable: true });
      expect(error.message).toContain("TLS");
    });

    it("declares what the server can do", async () => {
      const transactions = await hasTransactions(url);
      const { store } = await openStore(url);
      expect(store.capabilities).toEqual({
        atomicBatch: false,
        transactions,
        durability: "synced",
        expiry: { reclaim: "native", granularityMs: 1 },
        maxBatch: 10_000,
      });
      const { store: lax } = await openStore(url, { writeConcern: { w: 1, journal: false } });
      expect(lax.capabilities.durability).toBe(transactions ? "async" : "process");
    });

    it("sends nothing later that its caller has given up, when the server is back", async () => {
      const { hostname, port } = new URL(url);
      const proxy = await openTcpProxy({ host: hostname, port: Number(port) });
      onTestFinished(() => proxy.close());
      const client = openClient(throughProxy(url, proxy.port), { heartbeatFrequencyMS: 500 });
      const { store } = await openStore(url, { client, timeout: 3_000 });
      await store.claim([{ key, token: "t", owner: "o" }]);
      // It notices that the server is gone, and waits for another.
      proxy.cut();
      await expect(store.commit([{ key, token: "t", nextOffset: 1n }])).rejects.toMatchObject({ retryable: true });
      const late = store.claim([{ key, token: "late", owner: "late" }]);
      await expect(late).rejects.toMatchObject({ retryable: true });
      const heard = once(client, "serverHeartbeatSucceeded");
      proxy.restore();
      await heard;
      expect(await store.commit([{ key, token: "t", nextOffset: 2n }])).toEqual([{ status: "committed" }]);
    });
  });
});
