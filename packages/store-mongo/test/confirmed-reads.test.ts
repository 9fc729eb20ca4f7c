import { randomBytes } from "node:crypto";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { type CommandStartedEvent, MongoClient } from "mongodb";
import { expect, it, onTestFinished } from "vitest";
import { type MongoStoreClientOptions, openMongoStore } from "../src/index.ts";
import { throughProxy } from "./mongo-harness.ts";

const key = { consumer: "c", topic: "orders", partition: 0 };

/** A store through a proxy, and the read concerns of all that it reads. */
async function readingStore(url: string, options: Partial<MongoStoreClientOptions> = {}) {
  const { hostname, port } = new URL(url);
  const proxy = await openTcpProxy({ host: hostname, port: Number(port), protocol: "mongo" });
  const client = await MongoClient.connect(throughProxy(url, proxy.port), { monitorCommands: true });
  const database = `confirmed-${randomBytes(6).toString("hex")}`;
  const store = await openMongoStore({ client, database, onEvent: () => undefined, ...options });
  onTestFinished(async () => {
    await store.close();
    await client.db(database).dropDatabase();
    await client.close();
    await proxy.close();
  });
  const levels: unknown[] = [];
  client.on("commandStarted", ({ commandName, command }: CommandStartedEvent) => {
    if (commandName === "find") levels.push((command["readConcern"] as { level?: string } | undefined)?.level);
  });
  /** What a call reads with whose write is carried out and gets no answer. */
  const levelsOf = async (call: () => Promise<unknown>): Promise<unknown[]> => {
    levels.length = 0;
    const cut = proxy.cutAfterRequest({ match: ({ name }) => name === "update" });
    await call();
    await cut;
    return [...levels];
  };
  return { client, store, levels, levelsOf };
}

await describeWithTransactions(({ url, behind }) => {
  it("a write without an answer counts once a majority has it: it is read linearizably (contract 3.15)", async () => {
    const { store, levels, levelsOf } = await readingStore(url);
    const claim = () => store.claim([{ key, token: "t", owner: "o" }]);
    expect((await levelsOf(claim)).slice(0, 2)).toEqual(["local", "linearizable"]);
    const commit = () => store.commit([{ key, token: "t", nextOffset: 5n }]);
    expect(await levelsOf(commit)).toEqual(["linearizable"]);
    levels.length = 0;
    expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 5n } }]);
    expect(levels).toEqual(["local"]);
    expect(await levelsOf(() => store.delete({ keys: [key] }))).toEqual(["local", "linearizable"]);
  });

  it("after a transaction whose outcome nobody knows the next call reads linearizably (contract 3.16i)", async () => {
    const { client, store, levels } = await readingStore(url);
    await store.claim([{ key, token: "t", owner: "o" }]);
    await store.commit([{ key, token: "t", nextOffset: 5n }]);
    const ended = new AbortController();
    client.on("commandStarted", ({ commandName }: CommandStartedEvent) => {
      if (commandName === "commitTransaction") ended.abort(new Error("enough"));
    });
    const entry = { key, token: "t", from: 5n, nextOffset: 6n };
    const transacted = store.transact?.(entry, async () => undefined, { signal: ended.signal });
    await expect(transacted).rejects.toThrow("enough");
    levels.length = 0;
    await store.fetch([key]);
    await store.fetch([key]);
    expect(levels).toEqual(["linearizable", "local"]);
  });

  it("where less than a majority is asked for, what is there is there", async () => {
    const { store, levelsOf } = await readingStore(url, { writeConcern: { w: 1 } });
    expect(new Set(await levelsOf(() => store.claim([{ key, token: "t", owner: "o" }])))).toEqual(new Set(["local"]));
  });

  if (behind === undefined) return;
  it("a server that stands alone is not asked for a majority", async () => {
    const { store, levelsOf } = await readingStore(behind.url);
    expect(new Set(await levelsOf(() => store.claim([{ key, token: "t", owner: "o" }])))).toEqual(new Set(["local"]));
  });
});
