/** Writes batches and their positions to PostgreSQL, each in one transaction of the store's own, until it is killed. */
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openPostgresStore } from "@tidemark/store-postgres";

const STATEMENTS = 5;

const [file = "", url = "", schema = "", maxRecords = "500"] = process.argv.slice(2);
const log = await openLocalLog({ file, synchronous: "normal" });
const store = await openPostgresStore({ url, schema });
const consumer = await createConsumer({
  ...{ source: log, store, topic: "orders", consumer: "c1", strategy: "manual", untilEnd: true },
});
for await (const batch of consumer.batches({ maxRecords: Number(maxRecords) })) {
  await consumer.transact(batch, async (transaction) => {
    process.stdout.write("begun\n");
    const offsets = batch.records.map(({ offset }) => Number(offset));
    const size = Math.ceil(offsets.length / STATEMENTS);
    for (let from = 0; from < offsets.length; from += size) {
      const rows = offsets.slice(from, from + size);
      await transaction.query(`INSERT INTO ${schema}.results SELECT unnest($1::integer[])`, [rows]);
    }
  });
}
await consumer.close();
await store.close();
await log.close();
