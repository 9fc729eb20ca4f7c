import { type Consumer, type ConsumerEvent, createConsumer, type LogRecord, type LogSource } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { createMemoryStore } from "@tidemark/store-memory";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { fetchFrom, makeTopic, openLog, texts } from "./fixtures/kafka-test-client.ts";

/** Consumes a new topic of three records; resolves when all are delivered, and the consumer waits for more. */
async function consumeThree(log: KafkaLog, resetPolicy?: string, source: LogSource = log) {
  const topic = await makeTopic(log);
  await log.producer.produce(topic, 0, texts("a", "b", "c"));
  const store = createMemoryStore();
  const events: ConsumerEvent[] = [];
  const consumer = await createConsumer({
    ...{ source, store, consumer: "c", topic, start: "earliest" },
    ...(resetPolicy !== undefined && { resetPolicy }),
    flushInterval: 0,
    onEvent: (event) => void events.push(event),
  });
  onTestFinished(() => consumer.close().catch(() => undefined));
  const records = consumer[Symbol.asyncIterator]();
  expect(await valuesOf(records, 3)).toEqual(["0 a", "1 b", "2 c"]);
  const next = records.next();
  await expect
    .poll(async () => (await store.fetch([{ consumer: "c", topic, partition: 0 }]))[0])
    .toMatchObject({
      record: { nextOffset: 3n },
    });
  return { topic, consumer, events, records, next, store };
}

async function valuesOf(records: AsyncIterator<LogRecord, void>, count: number): Promise<string[]> {
  const values: string[] = [];
  while (values.length < count) values.push(textOf(await records.next()));
  return values;
}

function textOf({ value: record }: IteratorResult<LogRecord, void>): string {
  return record === undefined ? "the end" : `${record.offset} ${Buffer.from(record.value ?? []).toString()}`;
}

/** Holds back what a consumer asks of its log, however long a broker takes to make a topic again. */
class Gate {
  #isOpen = Promise.resolve();
  open = (): void => undefined;

  before(log: KafkaLog): LogSource {
    return {
      ...log,
      fetch: async (request) => {
        await this.#isOpen;
        return log.fetch(request);
      },
      listOffsets: async (...question) => {
        await this.#isOpen;
        return log.listOffsets(...question);
      },
    };
  }

  shut(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#isOpen = promise;
    this.open = resolve;
  }
}

async function closed(consumer: Consumer): Promise<void> {
  await consumer.close();
}

await describeWithServer("kafka", (server) => {
  it("a consumer whose topic is deleted looks for it some times, then ends with UNKNOWN_TOPIC and keeps its position", async () => {
    const log = await openLog(server);
    const { topic, consumer, events, next, store } = await consumeThree(log);
    const other = await openLog(server);
    await other.admin.deleteTopic(topic);
    await expect(next).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic, retryable: false });
    const failures = events.filter(({ type }) => type === "fetch-failed");
    expect(failures).toHaveLength(5);
    expect(failures[0]).toMatchObject({ partition: 0, error: { code: "UNKNOWN_TOPIC" } });
    await closed(consumer);
    expect(await store.fetch([{ consumer: "c", topic, partition: 0 }])).toMatchObject([{ record: { nextOffset: 3n } }]);
  });

  it.each([
    ["shorter", ["1"]],
    ["longer", ["1", "2", "3", "4", "5"]],
  ])("a consumer whose topic is made again, %s than before, begins there anew", async (_, values) => {
    const log = await openLog(server);
    const gate = new Gate();
    const { topic, consumer, events, records, next, store } = await consumeThree(log, undefined, gate.before(log));
    const other = await openLog(server);
    gate.shut();
    await other.admin.deleteTopic(topic);
    await other.admin.createTopic(topic, { partitions: 1 });
    await other.producer.produce(topic, 0, texts(...values));
    gate.open();
    const [first, ...rest] = values.map((value, offset) => `${offset} ${value}`);
    expect(textOf(await next)).toBe(first);
    expect(await valuesOf(records, rest.length)).toEqual(rest);
    expect(events.filter(({ type }) => type === "reset")).toMatchObject([
      { topic, partition: 0, reason: "other-log", from: 3n, to: 0n, skipped: 0n },
    ]);
    // Back to where the new topic is: the store takes it.
    await records.return?.();
    await closed(consumer);
    const [outcome] = await store.fetch([{ consumer: "c", topic, partition: 0 }]);
    expect(outcome).toMatchObject({ status: "found" });
    if (values.length > 1) expect(outcome).toMatchObject({ record: { nextOffset: BigInt(values.length - 1) } });
  });

  it("counts all of the new topic as skipped where the policy goes to its end", async () => {
    const log = await openLog(server);
    // The reset asks where the new topic ends, and has to find its records there.
    const gate = new Gate();
    const { topic, events, next } = await consumeThree(log, "latest", gate.before(log));
    const other = await openLog(server);
    gate.shut();
    await other.admin.deleteTopic(topic);
    await other.admin.createTopic(topic, { partitions: 1 });
    await other.producer.produce(topic, 0, texts("1", "2", "3", "4", "5"));
    gate.open();
    await vi.waitUntil(() => events.some(({ type }) => type === "reset"), { timeout: 30_000 });
    expect(events.filter(({ type }) => type === "reset")).toMatchObject([{ from: 3n, to: 5n, skipped: 5n }]);
    await other.producer.produce(topic, 0, texts("6"));
    expect(textOf(await next)).toBe("5 6");
  });

  it("notices it by the first fetch after it, also where nobody waited for records when the old topic went", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts("a", "b", "c"));
    const { nextOffset: offset, mark } = await fetchFrom(log, topic);
    expect(offset).toBe(3n);
    const other = await openLog(server);
    await other.admin.deleteTopic(topic);
    await other.admin.createTopic(topic, { partitions: 1 });
    await other.producer.produce(topic, 0, texts("1", "2", "3", "4", "5"));
    // One log knows the former topic, another one none, and a third what there is now.
    const third = await openLog(server);
    await third.partitions(topic);
    for (const each of [log, await openLog(server), third]) {
      await expect(fetchFrom(each, topic, { offset, mark })).rejects.toMatchObject({
        ...{ name: "OffsetOutOfRangeError", reason: "other-log", requested: 3n, earliest: 0n, latest: 5n },
        message: expect.stringContaining("belongs to another log: the topic was recreated") as unknown,
      });
      // Without a mark the offset was chosen in the topic as it is.
      expect((await fetchFrom(each, topic, { offset, maxWait: 10_000 })).records).toHaveLength(2);
    }
  });
});
