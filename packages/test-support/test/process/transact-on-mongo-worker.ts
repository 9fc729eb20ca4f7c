/** Writes batches and their positions to MongoDB, each in one transaction of the store's own, until it is killed. */
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openMongoStore } from "@tidemark/store-mongo";
import { MongoClient } from "mongodb";

const STATEMENTS = 5;

const [file = "", url = "", database = "", maxRecords = "500"] = process.argv.slice(2);
const log = await openLocalLog({ file, synchronous: "normal" });
const client = await MongoClient.connect(url);
const results = client.db(database).collection<{ number: number }>("results");
const store = await openMongoStore({ client, database });
const consumer = await createConsumer({
  ...{ source: log, store, topic: "orders", consumer: "c1", strategy: "manual", untilEnd: true },
});
for await (const batch of consumer.batches({ maxRecords: Number(maxRecords) })) {
  await consumer.transact(batch, async (session) => {
    process.stdout.write("begun\n");
    const rows = batch.records.map(({ offset }) => ({ number: Number(offset) }));
    const size = Math.ceil(rows.length / STATEMENTS);
    for (let from = 0; from < rows.length; from += size) {
      await results.insertMany(rows.slice(from, from + size), { session });
    }
  });
}
await consumer.close();
await store.close();
await client.close();
await log.close();
