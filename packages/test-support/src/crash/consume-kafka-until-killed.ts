/**
 * A consumer to be killed: reads all partitions of a topic of Kafka under a name, and writes each record that it worked on to
 * a file. Ends by itself, with everything closed, when it is told so by SIGTERM. Run as a process:
 *
 *     consume-kafka-until-killed.ts LOG_URL STORE_URL NAMESPACE TOPIC CONSUMER FLUSH_INTERVAL_MS PROCESSED_FILE
 *
 * Each line of the file is the record's partition, its offset, its value, and the time in milliseconds at which it was worked
 * on.
 */
import { openSync, writeSync } from "node:fs";
import { createConsumer, type StoreUrlOpener } from "@tidemark/core";
import { logUrl } from "@tidemark/source-kafka";
import { storeUrl as redis } from "@tidemark/store-redis";
import { storeUrl as sqlite } from "@tidemark/store-sqlite";

const [brokers = "", positions = "", namespace = "", topic = "", name = "", flushInterval = "", processedFile = ""] =
  process.argv.slice(2);
const opener: StoreUrlOpener = positions.startsWith("sqlite:") ? sqlite : redis;

const processed = openSync(processedFile, "a");
const source = await logUrl.open(brokers);
const store = await opener.open(positions, { namespace });
const consumer = await createConsumer({
  source,
  store,
  topic,
  consumer: name,
  start: "earliest",
  resetPolicy: "none",
  flushInterval: Number(flushInterval),
});
let ended: Promise<unknown> | undefined;
process.once("SIGTERM", () => {
  ended = consumer.close();
});
let count = 0;
for await (const { partition, offset, value } of consumer) {
  writeSync(processed, `${partition} ${offset} ${Buffer.from(value ?? []).toString()} ${Date.now()}\n`);
  count += 1;
  if (count === 1) process.stdout.write("first\n");
}
await ended;
await store.close();
await source.close();
// Nothing ends the process from here on but that nothing is left to be done.
process.stdout.write("closed\n");
