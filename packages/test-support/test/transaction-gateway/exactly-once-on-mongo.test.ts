import { randomBytes } from "node:crypto";
import { createConsumer, OffsetFencedError, OffsetStoreError } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { createMemorySource } from "@tidemark/test-support";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

const key = { consumer: "c1", topic: "orders", partition: 0 };

await describeWithTransactions((mongo) => {
  const database = `exactly-once-${randomBytes(6).toString("hex")}`;
  let client: MongoClient;
  beforeAll(async () => {
    client = await MongoClient.connect(mongo.url);
  });
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await client.close();
  });

  describe("sink and position in one transaction", () => {
    it("rolls a superseded consumer's work back, and tells it who superseded it", async () => {
      const source = createMemorySource();
      const fencedKey = { ...key, consumer: "c2" };
      await source.admin.createTopic(key.topic, { partitions: 1 });
      const values = Array.from({ length: 10 }, (_, index) => ({ value: Buffer.from(String(index)) }));
      await source.producer.produce(key.topic, 0, values);
      await using store = await openMongoStore({ client, database });
      const sink = client.db(database).collection<{ offset: number }>("fenced-results");
      const consumer = await createConsumer({
        ...{ source, store, topic: key.topic, consumer: fencedKey.consumer },
        ...{ strategy: "manual", sharing: "takeover", flushInterval: 60_000, untilEnd: true },
      });
      onTestFinished(() => consumer.close().catch(() => undefined));
      let attempts = 0;
      const loop = async (): Promise<void> => {
        await client.withSession(async (session) => {
          for await (const record of consumer) {
            if (record.offset === 3n) {
              await store.claim([{ key: fencedKey, token: "another", owner: "the newer one" }]);
            }
            await session.withTransaction(async () => {
              attempts += 1;
              await sink.insertOne({ offset: Number(record.offset) }, { session });
              await consumer.commitWithin(session, record);
            });
            consumer.commit(record);
          }
        });
      };
      const refusal: unknown = await loop().catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(OffsetFencedError);
      expect(refusal).toMatchObject({ reason: "superseded", owner: "the newer one" });
      expect((refusal as OffsetFencedError).cause).toBeInstanceOf(OffsetStoreError);
      expect((refusal as OffsetFencedError).cause).toMatchObject({ code: "CONFLICT" });
      // A refusal is final: the driver does not repeat the transaction.
      expect(attempts).toBe(4);
      expect((await sink.find().toArray()).map(({ offset }) => offset)).toEqual([0, 1, 2]);
      expect(await store.fetch([fencedKey])).toMatchObject([{ record: { nextOffset: 3n } }]);
    });

    it("fails a consumer that is superseded in the middle of its transaction, with nothing written", async () => {
      const fencedKey = { ...key, consumer: "c3" };
      await using store = await openMongoStore({ client, database });
      await store.claim([{ key: fencedKey, token: "older", owner: "the older one" }]);
      const sink = client.db(database).collection<{ offset: number }>("raced-results");
      await sink.insertOne({ offset: -1 });
      const attempts: unknown[] = [];
      const work = client.withSession((session) =>
        session.withTransaction(async () => {
          // The transaction has its snapshot before the claim of the other.
          await sink.findOne({}, { session });
          if (attempts.length === 0) await store.claim([{ key: fencedKey, token: "newer", owner: "the newer one" }]);
          attempts.push(undefined);
          await sink.insertOne({ offset: 0 }, { session });
          await store.commit([{ key: fencedKey, token: "older", nextOffset: 1n }], { transaction: session });
        }),
      );
      await expect(work).rejects.toMatchObject({
        code: "CONFLICT",
        refusal: { status: "fenced", reason: "superseded" },
      });
      // The first ran into the newer claim; only on its repetition could it see whose it is.
      expect(attempts).toHaveLength(2);
      expect((await sink.find().toArray()).map(({ offset }) => offset)).toEqual([-1]);
      expect(await store.fetch([fencedKey])).toMatchObject([{ status: "found", record: { owner: "the newer one" } }]);
    });
  });
});
