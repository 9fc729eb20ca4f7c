/**
 * A consumer to be killed that writes each record and its position in one SQLite transaction. Run as a process:
 *
 *     transact-on-sqlite-until-killed.ts FILE LOG_FILE TOPIC CONSUMER STEPS_FILE
 *
 * The steps file gets a line `begun OFFSET` before each attempt, and `done OFFSET` after each commit. The table `results`
 * is in FILE already.
 */
import { openSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";

const [file = "", logFile = "", topic = "", consumerName = "", stepsFile = ""] = process.argv.slice(2);

const steps = openSync(stepsFile, "a");
const source = await openLocalLog({ file: logFile });
const store = await openSqliteStore({ file, synchronous: "normal" });
const sink = new DatabaseSync(file, { timeout: 5_000 });
const insert = sink.prepare("INSERT INTO results VALUES (?)");
const consumer = await createConsumer({
  source,
  store,
  topic,
  consumer: consumerName,
  strategy: "manual",
  untilEnd: true,
});
for await (const record of consumer) {
  writeSync(steps, `begun ${record.offset}\n`);
  if (record.offset % 7n === 0n) process.stdout.write("begun\n");
  sink.exec("BEGIN IMMEDIATE");
  // No identity of its own making: a record that is written twice is there twice.
  insert.run(record.offset);
  // Irregular, so that kills fall between any two steps.
  if (record.offset % 3n === 0n) await pause(1);
  await consumer.commitWithin(sink, record);
  sink.exec("COMMIT");
  writeSync(steps, `done ${record.offset}\n`);
  consumer.commit(record);
}
await consumer.close();
sink.close();
await store.close();
await source.close();
