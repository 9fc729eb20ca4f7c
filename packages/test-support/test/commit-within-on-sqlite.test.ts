import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createConsumer, OffsetFencedError, OffsetStoreError } from "@tidemark/core";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { createMemorySource } from "@tidemark/test-support";
import { expect, onTestFinished, test } from "vitest";

const key = { consumer: "c1", topic: "orders", partition: 0 };

/** A consumer whose results go into the file that keeps its position. */
async function openBench() {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-within-"));
  const file = join(folder, "app.db");
  const source = createMemorySource();
  await source.admin.createTopic(key.topic, { partitions: 1 });
  const records = Array.from({ length: 10 }, (_, index) => ({ value: Buffer.from(String(index)) }));
  await source.producer.produce(key.topic, 0, records);
  const store = await openSqliteStore({ file });
  const sink = new DatabaseSync(file);
  sink.exec("CREATE TABLE results (number INTEGER NOT NULL) STRICT");
  const consumer = await createConsumer({
    source,
    store,
    topic: key.topic,
    consumer: key.consumer,
    strategy: "manual",
    sharing: "takeover",
    flushInterval: 5,
    untilEnd: true,
  });
  onTestFinished(async () => {
    await consumer.close().catch(() => undefined);
    await store.close();
    sink.close();
    await rm(folder, { recursive: true });
  });
  const insert = sink.prepare("INSERT INTO results VALUES (?)");
  const results = (): unknown[] =>
    sink
      .prepare("SELECT number FROM results ORDER BY number")
      .all()
      .map((row) => row["number"]);
  const stored = async (): Promise<bigint | undefined> => {
    const [outcome] = await store.fetch([key]);
    return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
  };
  return { source, store, sink, insert, consumer, results, stored };
}

test("sink and position are one transaction: both are there, or neither is (contract 5.15)", async () => {
  const { sink, insert, consumer, results, stored } = await openBench();
  const loop = async (): Promise<void> => {
    for await (const record of consumer) {
      sink.exec("BEGIN IMMEDIATE");
      insert.run(record.offset);
      await consumer.commitWithin(sink, record);
      if (record.offset === 6n) {
        sink.exec("ROLLBACK");
        throw new Error("the work on 6 failed");
      }
      sink.exec("COMMIT");
      consumer.commit(record);
    }
  };
  await expect(loop()).rejects.toThrow("the work on 6 failed");
  expect(results()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await stored()).toBe(6n);
  expect(consumer.position(0)).toBe(6n);

  const again: bigint[] = [];
  for await (const record of consumer) {
    again.push(record.offset);
    sink.exec("BEGIN IMMEDIATE");
    insert.run(record.offset);
    await consumer.commitWithin(sink, record);
    sink.exec("COMMIT");
    consumer.commit(record);
  }
  expect(again).toEqual([6n, 7n, 8n, 9n]);
  expect(results()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a superseded consumer's transaction is refused, and its work rolls back with it (contract 5.15)", async () => {
  const { store, sink, insert, consumer, results, stored } = await openBench();
  const loop = async (): Promise<void> => {
    for await (const record of consumer) {
      if (record.offset === 3n) await store.claim([{ key, token: "another", owner: "the newer one" }]);
      sink.exec("BEGIN IMMEDIATE");
      insert.run(record.offset);
      try {
        await consumer.commitWithin(sink, record);
        sink.exec("COMMIT");
      } catch (error) {
        sink.exec("ROLLBACK");
        throw error;
      }
    }
  };
  const refusal = await loop().catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(OffsetFencedError);
  expect(refusal).toMatchObject({ reason: "superseded", owner: "the newer one" });
  expect((refusal as OffsetFencedError).cause).toBeInstanceOf(OffsetStoreError);
  expect(results()).toEqual([0, 1, 2]);
  expect(await stored()).toBe(3n);
  expect(() => consumer.commit()).toThrow(OffsetFencedError);
});
