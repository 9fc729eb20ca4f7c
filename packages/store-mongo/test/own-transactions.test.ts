import { randomBytes } from "node:crypto";
import type { OffsetStore } from "@tidemark/core";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { type ClientSession, MongoClient } from "mongodb";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openMongoStore } from "../src/index.ts";

const LOST_ANSWERS = 20;

await describeWithTransactions((mongo) => {
  const database = `own-transactions-${randomBytes(6).toString("hex")}`;
  let client: MongoClient;
  beforeAll(async () => {
    client = await MongoClient.connect(mongo.url);
  });
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await client.close();
  });

  /** A store with a claim, and a collection of results. */
  async function setUp(name: string, own = client) {
    const opened = await openMongoStore({ client: own, database });
    onTestFinished(() => opened.close());
    const store = transacting(opened);
    const key = { consumer: name, topic: "orders", partition: 0 };
    await store.claim([{ key, token: "t", owner: "o" }]);
    // It must be there before a transaction writes to it.
    const results = await client.db(database).createCollection<{ offset: number }>(`results-${name}`);
    const insert = (session: ClientSession, offset = 0) =>
      own.db(database).collection(results.collectionName).insertOne({ offset }, { session });
    const positionNow = async () => {
      const [found] = await store.fetch([key]);
      return found?.status === "found" ? found.record.nextOffset : found?.status;
    };
    return { store, key, results, insert, positionNow };
  }

  describe("a transaction of the store's own", () => {
    it("writes the position with the user's documents, or neither", async () => {
      const { store, key, results, insert, positionNow } = await setUp("both");
      const entry = { key, token: "t", from: 0n, nextOffset: 5n };
      const failing = store.transact(entry, async (session) => {
        await insert(session);
        throw new Error("a test");
      });
      await expect(failing).rejects.toThrow("a test");
      expect([await results.countDocuments(), await positionNow()]).toEqual([0, undefined]);
      expect(await store.transact(entry, (session) => insert(session))).toMatchObject({ status: "committed" });
      expect([await results.countDocuments(), await positionNow()]).toEqual([1, 5n]);
    });

    it("runs the body again after a conflict of the user's documents", async () => {
      const { store, key, results, positionNow } = await setUp("conflict");
      await results.insertOne({ offset: 0 });
      let attempts = 0;
      await store.transact({ key, token: "t", from: 0n, nextOffset: 1n }, async (session) => {
        attempts += 1;
        await results.findOne({}, { session });
        // Behind its snapshot.
        if (attempts === 1) await results.updateOne({}, { $inc: { offset: 1 } });
        await results.updateOne({}, { $inc: { offset: 1 } }, { session });
      });
      expect(attempts).toBe(2);
      expect((await results.find().toArray()).map(({ offset }) => offset)).toEqual([2]);
      expect(await positionNow()).toBe(1n);
    });

    it("takes nothing that somebody else has taken over in the middle", async () => {
      const { store, key, results, insert, positionNow } = await setUp("superseded");
      let attempts = 0;
      const refused = store.transact({ key, token: "t", from: 0n, nextOffset: 1n }, async (session) => {
        attempts += 1;
        await insert(session);
        if (attempts === 1) await store.claim([{ key, token: "other", owner: "other" }]);
      });
      await expect(refused).rejects.toMatchObject({ code: "CONFLICT", refusal: { status: "fenced" } });
      expect([await results.countDocuments(), await positionNow()]).toEqual([0, undefined]);
    });

    it(`writes once what it commits, though the answer to the commit is lost ${LOST_ANSWERS} times`, async () => {
      const { hostname, port } = new URL(mongo.url);
      await using proxy = await openTcpProxy({ host: hostname, port: Number(port), protocol: "mongo" });
      const through = new URL(mongo.url);
      through.host = `127.0.0.1:${proxy.port}`;
      through.searchParams.set("directConnection", "true");
      await using own = await MongoClient.connect(through.href);
      const { store, key, results, insert, positionNow } = await setUp("lost", own);
      await store.transact({ key, token: "t", from: 0n, nextOffset: 1n }, (session) => insert(session));
      for (let from = 1; from <= LOST_ANSWERS; from += 1) {
        const match = ({ name }: { readonly name: string }): boolean => name === "commitTransaction";
        const lost = from % 4 === 0 ? proxy.cutBeforeRequest({ match }) : proxy.cutAfterRequest({ match });
        const entry = { key, token: "t", from: BigInt(from), nextOffset: BigInt(from + 1) };
        await store.transact(entry, (session) => insert(session, from));
        await lost;
      }
      const offsets = (await results.find().toArray()).map(({ offset }) => offset).toSorted((a, b) => a - b);
      expect(offsets).toEqual(Array.from({ length: LOST_ANSWERS + 1 }, (_, offset) => offset));
      expect(await positionNow()).toBe(BigInt(LOST_ANSWERS + 1));
    });
  });
});

/** That a store has transactions of its own. */
function transacting(
  store: OffsetStore<ClientSession>,
): OffsetStore<ClientSession> & Required<Pick<OffsetStore<ClientSession>, "transact">> {
  if (store.transact === undefined) throw new Error("the store has no transact");
  return store as ReturnType<typeof transacting>;
}
