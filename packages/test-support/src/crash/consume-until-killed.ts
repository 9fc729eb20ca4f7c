/**
 * A consumer to be killed: reads a topic under a name, writes the offset of each record that it worked on to a file, and
 * commits, by itself (`auto`) or after each record (`manual`). Run as a process:
 *
 *     consume-until-killed.ts DATABASE TOPIC CONSUMER STRATEGY FLUSH_INTERVAL_MS PROCESSED_FILE
 *
 * Each line of the file is the record's offset and the time in milliseconds at which it was worked on.
 */
import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";

const [file = "", topic = "", consumerName = "", strategy = "", flushInterval = "", processedFile = ""] =
  process.argv.slice(2);
if (strategy !== "auto" && strategy !== "manual") throw new TypeError("strategy must be auto or manual");
// Long enough to be killed in the middle, and irregular, so that kills fall between any two steps.
const RECORDS_PER_PAUSE = 7;

const processed = openSync(processedFile, "a");
const source = await openLocalLog({ file });
const store = await openSqliteStore({ file });
const consumer = await createConsumer({
  source,
  store,
  topic,
  consumer: consumerName,
  strategy,
  flushInterval: Number(flushInterval),
  untilEnd: true,
});
let count = 0;
for await (const record of consumer) {
  writeSync(processed, `${record.offset} ${Date.now()}\n`);
  if (strategy === "manual") consumer.commit(record);
  count += 1;
  if (count === 1) process.stdout.write("first\n");
  if (count % RECORDS_PER_PAUSE === 0) await pause(1);
}
await consumer.close();
await store.close();
await source.close();
process.stdout.write("done\n");
