import { type ConsumerEvent, createConsumer, OffsetOutOfRangeError } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { fetchFrom, makeTopic, openLog, readAll, texts, textsOf } from "./fixtures/kafka-test-client.ts";
import { openOlderBrokerForTest } from "./fixtures/older-broker.ts";

const FETCH = 1;
const LIST_OFFSETS = 2;
const METADATA = 3;
const INT32_BYTES = 4;
// Behind an answer's length, and what it is known by.
const ANSWER_AT = 2 * INT32_BYTES;

await describeWithServer("kafka", (server) => {
  it("tells the bounds of a log whose records were deleted below, and of one that ends before", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts("a", "b", "c", "d"));
    expect(await log.deleteRecords(topic, 0, 3n)).toBe(3n);
    for (const offset of [0n, 2n, 5n, 2n ** 62n]) {
      const error = await fetchFrom(log, topic, { offset, maxWait: 20_000 }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(OffsetOutOfRangeError);
      expect(error).toMatchObject({ topic, partition: 0, requested: offset, earliest: 3n, latest: 4n });
    }
    expect(textsOf(await readAll(log, topic, 3n))).toEqual(["d"]);
    await expect(log.deleteRecords(topic, 0, 5n)).rejects.toMatchObject({ requested: 5n, earliest: 3n, latest: 4n });
  });

  it("refuses the old offsets of a topic that was made again and is shorter", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts("a", "b", "c"));
    // As another process would: this one still knows the former leader.
    const other = await openLog(server);
    await other.admin.deleteTopic(topic);
    await other.admin.createTopic(topic, { partitions: 1 });
    await other.producer.produce(topic, 0, texts("new"));
    await expect(fetchFrom(log, topic, { offset: 3n })).rejects.toMatchObject({
      requested: 3n,
      earliest: 0n,
      latest: 1n,
    });
    expect(textsOf(await readAll(log, topic))).toEqual(["new"]);
  });

  it("asks again with fresh metadata before it says that an offset is out of range", async () => {
    const topic = await makeTopic(await openLog(server));
    const asked: number[] = [];
    // A leader that is one no longer, and whose log ends before the offset.
    const broker = await openOlderBrokerForTest(server, { 0: 3, 1: 4, 2: 1, 3: 4, 18: 0, 22: 0 }, (request, answer) => {
      asked.push(request);
      const changed = Buffer.from(answer);
      const partitionAt = ANSWER_AT + INT32_BYTES + 2 + topic.length + INT32_BYTES;
      if (request === FETCH && asked.filter((key) => key === FETCH).length === 1) {
        changed.writeInt16BE(1, partitionAt + INT32_BYTES + INT32_BYTES);
      }
      if (request === LIST_OFFSETS) changed.writeBigInt64BE(0n, changed.length - 8);
      return changed;
    });
    const log = await openLog(broker);
    await log.producer.produce(topic, 0, texts("a", "b"));
    asked.length = 0;
    expect(textsOf((await fetchFrom(log, topic, { offset: 1n, maxWait: 10_000 })).records)).toEqual(["b"]);
    expect(asked.slice(-3)).toEqual([FETCH, METADATA, FETCH]);
  });

  it("delivers the next record produced to a partition that was emptied, with the policy last-offset", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts("1", "2", "3", "4", "5"));
    const store = createMemoryStore();
    await store.reset([{ key: { consumer: "c", topic, partition: 0 }, nextOffset: 2n }]);
    await log.deleteRecords(topic, 0, 5n);
    const events: ConsumerEvent[] = [];
    let produced: Promise<bigint> | undefined;
    const consumer = await createConsumer({
      source: log,
      store,
      consumer: "c",
      topic,
      resetPolicy: "last-offset",
      onEvent: (event) => {
        events.push(event);
        // Only now: until the reset nobody may have anything to deliver.
        if (event.type === "reset") produced = log.producer.produce(topic, 0, texts("6"));
      },
    });
    for await (const record of consumer) {
      expect([record.offset, textsOf([record])]).toEqual([5n, ["6"]]);
      break;
    }
    await consumer.close();
    expect(await produced).toBe(5n);
    expect(events.filter(({ type }) => type === "reset")).toMatchObject([
      { topic, partition: 0, policy: "last-offset", reason: "below-log", from: 2n, to: 5n, skipped: 3n },
    ]);
    await store.close();
  });
});
