/**
 * A consumer to be killed that writes each record and its position in one MongoDB transaction. Run as a process:
 *
 *     transact-on-mongo-until-killed.ts URL DATABASE LOG_FILE TOPIC CONSUMER STEPS_FILE
 *
 * The steps file gets a line `begun OFFSET` before each attempt, and `done OFFSET` after each commit.
 */
import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openMongoStore } from "@tidemark/store-mongo";
import { MongoClient } from "mongodb";

const [url = "", database = "", file = "", topic = "", consumerName = "", stepsFile = ""] = process.argv.slice(2);
// Longer than MongoDB keeps the transaction of a client that was killed, which locks the position.
const TIMEOUT_MS = 90_000;

const steps = openSync(stepsFile, "a");
const client = await MongoClient.connect(url);
const sink = client.db(database).collection("results");
const source = await openLocalLog({ file });
const store = await openMongoStore({ client, database, timeout: TIMEOUT_MS });
const consumer = await createConsumer({
  source,
  store,
  topic,
  consumer: consumerName,
  strategy: "manual",
  untilEnd: true,
});
const session = client.startSession();
for await (const record of consumer) {
  await session.withTransaction(async () => {
    writeSync(steps, `begun ${record.offset}\n`);
    if (record.offset % 7n === 0n) process.stdout.write("begun\n");
    // No identity of its own making: a record that is written twice is there twice.
    await sink.insertOne({ offset: record.offset }, { session });
    // Irregular, so that kills fall between any two steps.
    if (record.offset % 3n === 0n) await pause(1);
    await consumer.commitWithin(session, record);
  });
  writeSync(steps, `done ${record.offset}\n`);
  consumer.commit(record);
}
await session.endSession();
await consumer.close();
await store.close();
await source.close();
await client.close();
