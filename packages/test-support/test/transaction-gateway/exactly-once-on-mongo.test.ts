import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createConsumer, OffsetFencedError, OffsetStoreError } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openMongoStore } from "@tidemark/store-mongo";
import { createMemorySource } from "@tidemark/test-support";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

const RECORDS = 4_000;
const key = { consumer: "c1", topic: "orders", partition: 0 };
const worker = fileURLToPath(new URL("../../src/crash/transact-on-mongo-until-killed.ts", import.meta.url));

await describeWithTransactions((mongo) => {
  // MongoDB itself keeps the transaction of a killed client, and with it the lock, for a minute.
  const kills = mongo.behind === undefined ? 5 : 50;
  const database = `exactly-once-${randomBytes(6).toString("hex")}`;
  let client: MongoClient;
  beforeAll(async () => {
    client = await MongoClient.connect(mongo.url);
  });
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await client.close();
  });

  describe("sink and position in one transaction", () => {
    it(
      `is exactly once when the consumer is killed ${kills} times at random moments`,
      { timeout: 600_000 },
      async () => {
        const folder = await mkdtemp(join(tmpdir(), "tidemark-exactly-once-"));
        const file = join(folder, "log.db");
        await using source = await openLocalLog({ file, synchronous: "normal" });
        onTestFinished(() => rm(folder, { recursive: true }));
        await source.admin.createTopic(key.topic, { partitions: 1 });
        const values = Array.from({ length: RECORDS }, () => ({ value: Buffer.from("x") }));
        await source.producer.produce(key.topic, 0, values);
        await using store = await openMongoStore({ client, database });
        const sink = client.db(database).collection<{ offset: number }>("results");
        const written = async (): Promise<number[]> =>
          (await sink.find({}, { sort: { offset: 1 } }).toArray()).map(({ offset }) => offset);
        const stored = async (): Promise<number> => {
          const [outcome] = await store.fetch([key]);
          return outcome?.status === "found" ? Number(outcome.record.nextOffset) : 0;
        };
        const stepsFile = join(folder, "steps");
        const workerArguments = [mongo.url, database, file, key.topic, key.consumer, stepsFile];
        const run = async (killAfterMs: number | undefined): Promise<void> => {
          const child = spawn(process.execPath, ["--conditions=@tidemark/source", worker, ...workerArguments], {
            stdio: ["ignore", "pipe", "inherit"],
          });
          const exited = once(child, "exit");
          if (killAfterMs !== undefined) {
            await Promise.race([once(child.stdout, "data"), exited]);
            await pause(killAfterMs);
            child.kill("SIGKILL");
          } else child.stdout.resume();
          expect(await exited).toEqual(killAfterMs === undefined ? [0, null] : [null, "SIGKILL"]);
        };

        let killedInside = 0;
        for (let kill = 0; kill < kills; kill += 1) {
          await run(Math.random() * 100);
          const position = await stored();
          // At every moment the sink holds exactly what the position says.
          expect(await written()).toEqual(Array.from({ length: position }, (_, offset) => offset));
          const steps = await readFile(stepsFile, "utf8");
          if (steps.trimEnd().split("\n").at(-1)?.startsWith("begun") === true) killedInside += 1;
        }
        const position = await stored();
        expect(position).toBeGreaterThan(0);
        expect(position).toBeLessThan(RECORDS);
        // The kills fell into transactions, not only between them.
        expect(killedInside).toBeGreaterThan(kills / 4);
        await run(undefined);
        expect(await written()).toEqual(Array.from({ length: RECORDS }, (_, offset) => offset));
        expect(await stored()).toBe(RECORDS);
      },
    );

    it("rolls a superseded consumer's work back, and tells it who superseded it", async () => {
      const source = createMemorySource();
      const fencedKey = { ...key, consumer: "c2" };
      await source.admin.createTopic(key.topic, { partitions: 1 });
      const values = Array.from({ length: 10 }, (_, index) => ({ value: Buffer.from(String(index)) }));
      await source.producer.produce(key.topic, 0, values);
      await using store = await openMongoStore({ client, database });
      const sink = client.db(database).collection<{ offset: number }>("fenced-results");
      const consumer = await createConsumer({
        ...{ source, store, topic: key.topic, consumer: fencedKey.consumer },
        ...{ strategy: "manual", flushInterval: 60_000, untilEnd: true },
      });
      onTestFinished(() => consumer.close().catch(() => undefined));
      let attempts = 0;
      const loop = async (): Promise<void> => {
        await client.withSession(async (session) => {
          for await (const record of consumer) {
            if (record.offset === 3n) {
              await store.claim([{ key: fencedKey, token: "another", owner: "the newer one" }]);
            }
            await session.withTransaction(async () => {
              attempts += 1;
              await sink.insertOne({ offset: Number(record.offset) }, { session });
              await consumer.commitWithin(session, record);
            });
            consumer.commit(record);
          }
        });
      };
      const refusal: unknown = await loop().catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(OffsetFencedError);
      expect(refusal).toMatchObject({ reason: "superseded", owner: "the newer one" });
      expect((refusal as OffsetFencedError).cause).toBeInstanceOf(OffsetStoreError);
      expect((refusal as OffsetFencedError).cause).toMatchObject({ code: "CONFLICT" });
      // A refusal is final: the driver does not repeat the transaction.
      expect(attempts).toBe(4);
      expect((await sink.find().toArray()).map(({ offset }) => offset)).toEqual([0, 1, 2]);
      expect(await store.fetch([fencedKey])).toMatchObject([{ record: { nextOffset: 3n } }]);
    });

    it("fails a consumer that is superseded in the middle of its transaction, with nothing written", async () => {
      const fencedKey = { ...key, consumer: "c3" };
      await using store = await openMongoStore({ client, database });
      await store.claim([{ key: fencedKey, token: "older", owner: "the older one" }]);
      const sink = client.db(database).collection<{ offset: number }>("raced-results");
      await sink.insertOne({ offset: -1 });
      const attempts: unknown[] = [];
      const work = client.withSession((session) =>
        session.withTransaction(async () => {
          // The transaction has its snapshot before the claim of the other.
          await sink.findOne({}, { session });
          if (attempts.length === 0) await store.claim([{ key: fencedKey, token: "newer", owner: "the newer one" }]);
          attempts.push(undefined);
          await sink.insertOne({ offset: 0 }, { session });
          await store.commit([{ key: fencedKey, token: "older", nextOffset: 1n }], { transaction: session });
        }),
      );
      await expect(work).rejects.toMatchObject({
        code: "CONFLICT",
        refusal: { status: "fenced", reason: "superseded" },
      });
      // The first ran into the newer claim; only on its repetition could it see whose it is.
      expect(attempts).toHaveLength(2);
      expect((await sink.find().toArray()).map(({ offset }) => offset)).toEqual([-1]);
      expect(await store.fetch([fencedKey])).toMatchObject([{ status: "found", record: { owner: "the newer one" } }]);
    });
  });
});
