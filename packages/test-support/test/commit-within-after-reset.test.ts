import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createConsumer, type LogRecord, openOffsetSession } from "@tidemark/core";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { createMemorySource } from "@tidemark/test-support";
import { expect, onTestFinished, test } from "vitest";

const key = { consumer: "c1", topic: "orders", partition: 0 };

/** A consumer whose results go into the file that keeps its position, on a topic that can be made again. */
async function openBench(flushInterval: number) {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-within-"));
  const file = join(folder, "app.db");
  const source = createMemorySource();
  await source.admin.createTopic(key.topic, { partitions: 1 });
  const produce = (count: number) =>
    source.producer.produce(
      key.topic,
      0,
      Array.from({ length: count }, () => ({ value: null })),
    );
  const store = await openSqliteStore({ file });
  const sink = new DatabaseSync(file);
  sink.exec("CREATE TABLE results (log TEXT NOT NULL, number INTEGER NOT NULL) STRICT");
  const options = {
    source,
    store,
    topic: key.topic,
    consumer: key.consumer,
    strategy: "manual",
    flushInterval,
  } as const;
  const consumer = await createConsumer(options);
  onTestFinished(async () => {
    await consumer.close().catch(() => undefined);
    await store.close();
    sink.close();
    await rm(folder, { recursive: true });
  });
  const insert = sink.prepare("INSERT INTO results VALUES (?, ?)");
  return {
    source,
    store,
    sink,
    consumer,
    produce,
    /** Result and position in one transaction; it ends as asked. */
    async work(record: LogRecord, log: string, end: "COMMIT" | "ROLLBACK" = "COMMIT"): Promise<void> {
      sink.exec("BEGIN IMMEDIATE");
      try {
        insert.run(log, record.offset);
        await consumer.commitWithin(sink, record);
      } catch (error) {
        sink.exec("ROLLBACK");
        throw error;
      }
      sink.exec(end);
    },
    results: (log: string): unknown[] =>
      sink
        .prepare("SELECT number FROM results WHERE log = ? ORDER BY number")
        .all(log)
        .map((row) => row["number"]),
    async stored(): Promise<bigint | undefined> {
      const [outcome] = await store.fetch([key]);
      return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
    },
  };
}

test.each([0, 5, 600_000])(
  "a topic made again shorter: the transactions go on, with the next flush after %i ms",
  async (flushInterval) => {
    const { source, consumer, produce, work, results, stored } = await openBench(flushInterval);
    await produce(10);
    let seen = 0;
    for await (const record of consumer) {
      seen += 1;
      await work(record, seen <= 10 ? "old" : "new");
      consumer.commit(record);
      if (seen === 10) {
        source.recreateTopic(key.topic);
        await produce(4);
      }
      if (seen === 14) break;
    }
    expect(results("old")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(results("new")).toEqual([0, 1, 2, 3]);
    expect(await stored()).toBe(4n);
    await consumer.close();
    expect(await stored()).toBe(4n);
  },
);

test("the position of a transaction that is committed after the way back does not go back behind it", async () => {
  const { source, consumer, produce, work, results, stored } = await openBench(600_000);
  await produce(10);
  let seen = 0;
  for await (const record of consumer) {
    seen += 1;
    await work(record, seen <= 10 ? "old" : "new");
    // The last one is committed in the file, and this process did not get to say so.
    if (seen < 13) consumer.commit(record);
    if (seen === 10) {
      await consumer.flush();
      source.recreateTopic(key.topic);
      await produce(4);
    }
    if (seen === 13) break;
  }
  expect(results("new")).toEqual([0, 1, 2]);
  expect(await stored()).toBe(3n);
  await consumer.close();
  expect(await stored()).toBe(3n);
});

test("a transaction that is rolled back after the way back leaves the position where reading went back to", async () => {
  const { source, consumer, produce, work, results, stored } = await openBench(600_000);
  await produce(10);
  let seen = 0;
  for await (const record of consumer) {
    seen += 1;
    if (seen === 11) {
      // Inside a transaction positions only go forward: that reading went back is stored before it begins.
      expect(await stored()).toBe(0n);
      await work(record, "new", "ROLLBACK");
      expect(await stored()).toBe(0n);
    }
    await work(record, seen <= 10 ? "old" : "new");
    consumer.commit(record);
    if (seen === 10) {
      await consumer.flush();
      source.recreateTopic(key.topic);
      await produce(4);
    }
    if (seen === 12) break;
  }
  expect(results("new")).toEqual([0, 1]);
  expect(await stored()).toBe(2n);
  await consumer.close();
  expect(await stored()).toBe(2n);
});

test("a flush that waits for a transaction after the way back neither fences the session nor undoes it", async () => {
  const { source, sink, consumer, produce, work, results, stored } = await openBench(600_000);
  await produce(10);
  let seen = 0;
  for await (const record of consumer) {
    seen += 1;
    if (seen === 12) {
      // The transaction holds the file's lock, and the position after the record before waits to be written.
      sink.exec("BEGIN IMMEDIATE");
      const flushing = consumer.flush();
      await consumer.commitWithin(sink, record);
      sink.exec("COMMIT");
      await flushing;
      expect(await stored()).toBe(2n);
    } else {
      await work(record, seen <= 10 ? "old" : "new");
    }
    consumer.commit(record);
    if (seen === 10) {
      source.recreateTopic(key.topic);
      await produce(4);
    }
    if (seen === 14) break;
  }
  expect(results("new")).toEqual([0, 2, 3]);
  expect(await stored()).toBe(4n);
  await consumer.close();
  expect(await stored()).toBe(4n);
});

test("a flush after a transaction that nobody told the end of takes nothing back of what it has stored", async () => {
  const { store, sink } = await openBench(600_000);
  const other = { ...key, consumer: "c2" };
  await store.reset([{ key: other, nextOffset: 100n }]);
  const { consumer, topic } = other;
  await using session = await openOffsetSession({ store, consumer, topic, partitions: [0] });
  const storedOfOther = async () => (await store.fetch([other]))[0];
  session.resetTo(0, 0n, "other-log");
  session.deliver({ partition: 0, offset: 0n });
  sink.exec("BEGIN IMMEDIATE");
  // It could only wait for this transaction to end.
  await expect(session.commitWithin(sink, { partition: 0, offset: 0n })).rejects.toThrow(/was reset.*roll back/u);
  sink.exec("ROLLBACK");
  await session.flush();
  expect(await storedOfOther()).toMatchObject({ record: { nextOffset: 0n } });
  session.commit({ partition: 0, offset: 0n });
  session.deliver({ partition: 0, offset: 1n });
  sink.exec("BEGIN IMMEDIATE");
  await session.commitWithin(sink, { partition: 0, offset: 1n });
  sink.exec("COMMIT");
  expect(await storedOfOther()).toMatchObject({ record: { nextOffset: 2n } });
  await session.flush();
  expect(await storedOfOther()).toMatchObject({ record: { nextOffset: 2n } });
});
