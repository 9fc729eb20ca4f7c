/**
 * Writes batches and their positions, each in one transaction of the store's own, until it is killed. Says "begun" in each
 * transaction; in the one of number `heldAt` it says "held" when all is written, and stands still.
 */
import { writeSync } from "node:fs";
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { type Backend, backends } from "./backend.ts";

const [kind = "", logFile = "", url = "", place = "", maxRecords = "", heldAt = ""] = process.argv.slice(2);

async function work<Transaction>(backend: Backend<Transaction>): Promise<void> {
  const log = await openLocalLog({ file: logFile, synchronous: "normal" });
  const consumer = await createConsumer({
    ...{ source: log, store: backend.store, topic: "orders", consumer: "c1", strategy: "manual", untilEnd: true },
  });
  let begun = 0;
  const settle = (): void => {
    if (begun !== Number(heldAt)) return;
    writeSync(1, "held\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  for await (const batch of consumer.batches({ maxRecords: Number(maxRecords) })) {
    await consumer.transact(batch, (transaction) => {
      begun += 1;
      writeSync(1, "begun\n");
      const written = backend.write(
        transaction,
        batch.records.map(({ offset }) => Number(offset)),
      );
      return written === undefined ? settle() : written.then(settle);
    });
  }
  await consumer.close();
  await backend.close();
  await log.close();
}

if (kind === "postgres") await work(await backends.postgres(url, place));
else if (kind === "mongo") await work(await backends.mongo(url, place));
else await work(await backends.sqlite(url, place));
