import { randomBytes } from "node:crypto";
import { createConsumer } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { createMemorySource } from "@tidemark/test-support";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { expect, it, onTestFinished } from "vitest";

const key = { consumer: "c1", topic: "orders", partition: 0 };

await describeWithTransactions((mongo) => {
  it.each([1, 600_000])(
    "a topic made again shorter: the transactions go back and on, with the next flush after %i ms",
    async (flushInterval) => {
      const database = `reset-${randomBytes(6).toString("hex")}`;
      const client = await MongoClient.connect(mongo.url);
      onTestFinished(async () => {
        await client.db(database).dropDatabase();
        await client.close();
      });
      const source = createMemorySource();
      await source.admin.createTopic(key.topic, { partitions: 1 });
      const produce = (count: number) =>
        source.producer.produce(
          key.topic,
          0,
          Array.from({ length: count }, () => ({ value: null })),
        );
      await produce(6);
      await using store = await openMongoStore({ client, database });
      const stored = async (): Promise<bigint | undefined> => {
        const [outcome] = await store.fetch([key]);
        return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
      };
      const sink = client.db(database).collection<{ log: string; offset: number }>("results");
      await client.db(database).createCollection("results");
      await using consumer = await createConsumer({
        source,
        store,
        topic: key.topic,
        consumer: key.consumer,
        strategy: "manual",
        flushInterval,
      });
      let seen = 0;
      for await (const record of consumer) {
        seen += 1;
        const log = seen <= 6 ? "old" : "new";
        await client.withSession((session) =>
          session.withTransaction(async () => {
            await sink.insertOne({ log, offset: Number(record.offset) }, { session });
            await consumer.commitWithin(session, record);
          }),
        );
        // The last one is committed, and this process did not get to say so.
        if (seen < 9) consumer.commit(record);
        if (seen === 6) {
          source.recreateTopic(key.topic);
          await produce(3);
        }
        if (seen === 9) break;
      }
      const results = await sink.find({}, { sort: { log: -1, offset: 1 } }).toArray();
      expect(results.map(({ log, offset }) => `${log} ${offset}`)).toEqual([
        ...[0, 1, 2, 3, 4, 5].map((offset) => `old ${offset}`),
        ...[0, 1, 2].map((offset) => `new ${offset}`),
      ]);
      expect(await stored()).toBe(3n);
      await consumer.close();
      expect(await stored()).toBe(3n);
    },
  );
});
