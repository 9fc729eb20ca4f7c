/** Writes batches and their positions to one SQLite file, each in one transaction of the store's own, until it is killed. */
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";

const [logFile = "", file = ""] = process.argv.slice(2);
const log = await openLocalLog({ file: logFile, synchronous: "normal" });
const store = await openSqliteStore({ file, synchronous: "normal" });
const consumer = await createConsumer({ source: log, store, topic: "orders", consumer: "c1", untilEnd: true });
for await (const batch of consumer.batches({ maxRecords: 500 })) {
  process.stdout.write("begun\n");
  await consumer.transact(batch, (database) => {
    const insert = database.prepare("INSERT INTO results VALUES (?)");
    for (const { offset } of batch.records) insert.run(offset);
  });
}
await consumer.close();
await store.close();
await log.close();
