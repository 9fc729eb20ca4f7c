import { randomBytes } from "node:crypto";
import { testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { untilAnswered } from "@tidemark/test-support/stores";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openMongoStore } from "../src/index.ts";
import { mongoHarness } from "./mongo-harness.ts";

await describeWithTransactions(({ url, version, behind }) => {
  // A replica set runs the kit in conformance.test.ts; here it is run where only the engine below has transactions.
  if (behind !== undefined) {
    const runner = { describe, it: it.concurrent };
    const harness = mongoHarness({ name: `mongo store on ${version}`, url, transactions: true });
    testOffsetStoreDriver(runner, harness);
    testOffsetStore(runner, harness);
  }

  describe("a transaction of the caller's", () => {
    const database = `transactions-${randomBytes(6).toString("hex")}`;
    const keyOf = (consumer: string, partition = 0) => ({ consumer, topic: "orders", partition });
    let client: MongoClient;
    beforeAll(async () => {
      client = await MongoClient.connect(url);
    });
    afterAll(async () => {
      await client.db(database).dropDatabase();
      await client.close();
    });

    it("holds all of a call's positions or none, whatever their number", async () => {
      await using store = await openMongoStore({ client, database });
      const keys = Array.from({ length: 130 }, (_, partition) => keyOf("many", partition));
      await store.claim(keys.map((key) => ({ key, token: "t", owner: "o" })));
      const last = keys.at(-1);
      if (last === undefined) throw new Error("no key");
      await store.commit([{ key: last, token: "t", nextOffset: 50n }]);
      const commitAll = async (nextOffset: bigint): Promise<void> =>
        client.withSession((session) =>
          session.withTransaction(async () => {
            await store.commit(
              keys.map((key) => ({ key, token: "t", nextOffset })),
              { transaction: session },
            );
          }),
        );
      await expect(commitAll(10n)).rejects.toMatchObject({
        code: "CONFLICT",
        refusal: { status: "behind" },
        keys: [last],
      });
      const positions = async (): Promise<Set<bigint | undefined>> =>
        new Set((await store.fetch(keys)).map((one) => (one.status === "found" ? one.record.nextOffset : -1n)));
      expect(await positions()).toEqual(new Set([undefined, 50n]));
      await commitAll(60n);
      expect(await positions()).toEqual(new Set([60n]));
    });

    it("writes a position with the user's documents in another database, int64 and all", async () => {
      await using store = await openMongoStore({ client, database });
      const key = keyOf("int64");
      await store.claim([{ key, token: "t", owner: "o" }]);
      const results = client.db(`${database}-results`).collection("results");
      await client.withSession((session) =>
        session.withTransaction(async () => {
          await results.insertOne({ total: 1 }, { session });
          const entry = { key, token: "t", nextOffset: 2n ** 53n + 1n, metadata: "m", ttl: 60_000 };
          await store.commit([entry], { transaction: session });
        }),
      );
      expect(await results.countDocuments()).toBe(1);
      expect(await store.fetch([key])).toMatchObject([
        { record: { nextOffset: 2n ** 53n + 1n, metadata: "m", ttl: 60_000, owner: "o" } },
      ]);
      await client.db(`${database}-results`).dropDatabase();
    });

    it("keeps others from its record until it ends: a claim then waits no longer than its timeout", async () => {
      const key = keyOf("locked");
      await using store = await openMongoStore({ client, database });
      await using hasty = await untilAnswered(() => openMongoStore({ url, database, timeout: 3_000 }));
      await store.claim([{ key, token: "t", owner: "o" }]);
      const session = client.startSession();
      session.startTransaction();
      await store.commit([{ key, token: "t", nextOffset: 10n }], { transaction: session });
      const claim = { key, token: "hasty", owner: "hasty" };
      await expect(hasty.claim([claim])).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
      await session.commitTransaction();
      expect(await store.claim([{ ...claim, token: "later" }])).toMatchObject([
        { status: "claimed", record: { nextOffset: 10n } },
      ]);
      await session.endSession();
    });

    it("does not take a record for expired that others have renewed since: that is a conflict (contract 4.1c)", async () => {
      await using store = await openMongoStore({ client, database, collection: "renewed" });
      // A server's own sweep would be a conflict too.
      await client.db(database).collection("renewed").dropIndex("tidemark_expiry");
      const key = keyOf("renewed");
      await store.claim([{ key, token: "t", owner: "o", ttl: 1 }]);
      await expect.poll(async () => (await store.fetch([key]))[0]?.status, { timeout: 60_000 }).toBe("absent");
      const refusal = { code: "CONFLICT", refusal: { status: "fenced", reason: "absent" } };
      let attempts = 0;
      const commitAfter = (since: () => Promise<unknown>) =>
        client.withSession((session) =>
          session.withTransaction(async () => {
            attempts += 1;
            await client.db(database).collection("renewed").findOne({}, { session });
            if (attempts === 1) await since();
            await store.commit([{ key, token: "t", nextOffset: 10n }], { transaction: session });
          }),
        );
      await expect(commitAfter(() => Promise.resolve())).rejects.toMatchObject(refusal);
      attempts = 0;
      // Behind the snapshot's back.
      await commitAfter(() => store.claim([{ key, token: "t", owner: "o" }]));
      expect(attempts).toBe(2);
      expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 10n } }]);
    });

    it("gives the driver's own error for a conflict, so that withTransaction tries again", async () => {
      const key = keyOf("conflict");
      await using store = await openMongoStore({ client, database });
      await store.claim([{ key, token: "t", owner: "o" }]);
      let attempts = 0;
      await client.withSession((session) =>
        session.withTransaction(async () => {
          attempts += 1;
          await client.db(database).collection("offsets").findOne({}, { session });
          // Behind the snapshot's back: the same claim moves the position.
          if (attempts === 1) await store.commit([{ key, token: "t", nextOffset: 5n }]);
          await store.commit([{ key, token: "t", nextOffset: 10n }], { transaction: session });
        }),
      );
      expect(attempts).toBe(2);
      expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 10n } }]);
    });
  });
});
