/**
 * A consumer to be killed that writes each record and its position in one watched MULTI of Redis. Run as a process:
 *
 *     transact-on-redis-until-killed.ts URL NAMESPACE SINK LOG_FILE TOPIC CONSUMER STEPS_FILE
 *
 * SINK is the key of a list. The steps file gets a line `begun OFFSET` before each attempt, and `done OFFSET` after each
 * commit.
 */
import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { createConsumer, type LogRecord, OffsetStoreError } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { beginRedisTransaction, openRedisStore } from "@tidemark/store-redis";
import { createClient } from "redis";

const [url = "", namespace = "", sink = "", logFile = "", topic = "", consumerName = "", stepsFile = ""] =
  process.argv.slice(2);

const steps = openSync(stepsFile, "a");
const source = await openLocalLog({ file: logFile });
const client = await createClient({ url }).connect();
const store = await openRedisStore({ client, namespace, onEvent: () => undefined });
// Of its own: a watch belongs to the connection.
const connection = await client.duplicate().connect();
const consumer = await createConsumer({
  source,
  store,
  topic,
  consumer: consumerName,
  strategy: "manual",
  untilEnd: true,
});

async function work(record: LogRecord): Promise<void> {
  const transaction = beginRedisTransaction(connection);
  // No identity of its own making: a record that is written twice is there twice.
  transaction.multi.rPush(sink, String(record.offset));
  // Irregular, so that kills fall between any two steps.
  if (record.offset % 3n === 0n) await pause(1);
  await consumer.commitWithin(transaction, record);
  if (record.offset % 5n === 0n) await pause(1);
  await transaction.commit();
}

for await (const record of consumer) {
  for (;;) {
    writeSync(steps, `begun ${record.offset}\n`);
    if (record.offset % 7n === 0n) process.stdout.write("begun\n");
    try {
      await work(record);
      break;
    } catch (error) {
      // The session wrote its own renewal meanwhile: nothing of this attempt is there.
      if (error instanceof OffsetStoreError && error.code === "CONFLICT" && error.retryable) continue;
      throw error;
    }
  }
  writeSync(steps, `done ${record.offset}\n`);
  consumer.commit(record);
}
await consumer.close();
await store.close();
await source.close();
await connection.close();
await client.close();
