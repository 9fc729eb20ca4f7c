import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { openMongoStore } from "@tidemark/store-mongo";
import { describeWithServer, type RunningServer, sharedServer } from "@tidemark/test-support/servers";
import { describeWithTransactions, type TransactionalMongo } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { expect, it, onTestFinished } from "vitest";
import { openBench, storedPositions, upTo } from "./fixtures/bench.ts";
import { ExampleProcess } from "./fixtures/example-process.ts";

const LONGEST_LIFE_MS = 200;

const kafka = await sharedServer("kafka");
await ("missing" in kafka
  ? describeWithServer("kafka", () => undefined)
  : describeWithTransactions((mongo) => declareKills(kafka, mongo)));

function declareKills(broker: RunningServer, mongo: TransactionalMongo): void {
  // MongoDB itself keeps the transaction of a killed client, and with it the lock, for a minute.
  const kills = mongo.behind === undefined ? 1 : 4;

  it(`kafkajs and MongoDB, exactly once: killed ${kills} times, the collection has each record once`, async () => {
    const bench = await openBench(broker, 2);
    const database = `example-${randomUUID()}`;
    const client = await MongoClient.connect(mongo.url);
    onTestFinished(async () => {
      await client.db(database).dropDatabase();
      await client.close();
    });
    await using store = await openMongoStore({ client, database });
    const results = client.db(database).collection<{ partition: number; offset: string }>("results");
    const written = async (partition: number): Promise<number[]> =>
      (await results.find({ partition }).toArray()).map(({ offset }) => Number(offset)).toSorted((a, b) => a - b);
    const counts = async () => [(await written(0)).length, (await written(1)).length];
    const run = () =>
      new ExampleProcess(
        "src/kafkajs/exactly-once-mongo.ts",
        [bench.topic, bench.consumer, database],
        { BROKERS: new URL(broker.url).host, MONGODB_URL: mongo.url, GROUP: randomUUID() },
        [],
      );
    const moved = async (before: readonly number[]) =>
      (await counts()).every((count, partition) => count > (before[partition] ?? 0));
    const producing = bench.produceSteadily();
    for (let kill = 0; kill < kills; kill += 1) {
      const before = await counts();
      const example = run();
      await example.until("both partitions moved on", () => moved(before), 120_000);
      await pause(Math.random() * LONGEST_LIFE_MS);
      expect(await example.end("SIGKILL")).toBe("SIGKILL");
    }
    const before = await counts();
    const example = run();
    await example.until("it writes", () => moved(before), 120_000);
    const produced = await producing.stop();
    await example.until("all is there", async () =>
      (await counts()).every((count, partition) => count >= (produced[partition] ?? 0)),
    );
    expect(await example.end("SIGTERM")).toBe(0);
    for (const partition of [0, 1]) expect(await written(partition)).toEqual(upTo(produced[partition] ?? 0));
    expect(await storedPositions(store, bench, 2)).toEqual(produced);
  });
}
