import { Admin } from "@platformatic/kafka";
import { type ConsumerEvent, type ConsumerOptions, createConsumer } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { createMemoryStore } from "@tidemark/store-memory";
import { kafkaLeadersOf, launchOrSkip } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { brokersOf, fetchFrom, makeTopic, openLog, texts, textsOf, topicName } from "./fixtures/kafka-test-client.ts";

const TIMEOUT_MS = 240_000;

it(
  "cuts what it gives where another leader began to write, and takes the former leader's positions (contract 7.10)",
  async ({ skip }) => {
    const server = await launchOrSkip("kafka", skip);
    onTestFinished(() => server.stop());
    const log = await openLog(server, { timeout: 60_000 });
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts("a", "b"));
    // After a restart even a broker that is alone leads for the next time.
    await server.restart();
    await log.producer.produce(topic, 0, texts("c"));
    await log.producer.produce(topic, 0, texts("d"));

    const before = await fetchFrom(log, topic, { maxWait: 20_000 });
    expect(textsOf(before.records)).toEqual(["a", "b"]);
    const { mark } = before;
    const after = await fetchFrom(log, topic, { offset: before.nextOffset, mark, maxWait: 20_000 });
    expect(textsOf(after.records)).toEqual(["c", "d"]);
    expect(after.mark).not.toBe(mark);
    expect(textsOf((await fetchFrom(log, topic, { offset: 3n, mark: after.mark })).records)).toEqual(["d"]);
    const [listed] = await log.listOffsets(topic, [{ partition: 0, timestamp: -2 }]);
    expect(listed).toEqual({ partition: 0, offset: 0n, mark });
  },
  TIMEOUT_MS,
);

it(
  "refuses a position above which an unclean election truncated the log, also where its offset was used again (contract 7.12)",
  async ({ skip }) => {
    const server = await launchOrSkip("kafka-cluster", skip);
    onTestFinished(() => server.stop());
    const topic = topicName();
    const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: brokersOf(server) });
    await admin.createTopics({
      topics: [topic],
      partitions: -1,
      replicas: -1,
      assignments: [{ partition: 0, brokers: [1, 2] }],
      configs: [{ name: "unclean.leader.election.enable", value: "true" }],
    });
    await admin.close();
    await vi.waitUntil(async () => (await kafkaLeadersOf(server.url, topic))[0] === 1, { timeout: 60_000 });
    const [leader, follower] = server.nodes;
    const log = await openLog(server, { timeout: 60_000 });

    await log.producer.produce(topic, 0, texts("a", "b", "c"));
    await follower?.kill();
    await log.producer.produce(topic, 0, texts("lost", "lost too"));
    const read = await fetchFrom(log, topic, { maxWait: 20_000 });
    expect(read.nextOffset).toBe(5n);
    // At the end, as a consumer that waits there.
    const atEnd = await fetchFrom(log, topic, { offset: 5n, mark: read.mark });
    const store = createMemoryStore();
    const stored = { source: log, store, consumer: "c", topic, start: "earliest", untilEnd: true } as const;
    expect(await consumeAll(stored)).toEqual({ values: ["a", "b", "c", "lost", "lost too"], resets: [] });
    await leader?.kill();
    await follower?.restart();
    await vi.waitUntil(async () => (await kafkaLeadersOf(follower?.url ?? "", topic))[0] === 2, { timeout: 60_000 });

    const refusal = { reason: "truncated", divergedAt: 3n, requested: 5n, earliest: 0n };
    for (const { mark } of [read, atEnd]) {
      const beyond = fetchFrom(log, topic, { offset: 5n, mark, maxWait: 20_000 });
      await expect(beyond).rejects.toMatchObject({ ...refusal, latest: 3n });
    }
    await log.producer.produce(topic, 0, texts("d", "e", "f"));
    for (const { mark } of [read, atEnd]) {
      await expect(fetchFrom(log, topic, { offset: 5n, mark })).rejects.toMatchObject({ ...refusal, latest: 6n });
      const { records } = await fetchFrom(log, topic, { offset: 3n, mark, maxWait: 20_000 });
      expect(textsOf(records)).toEqual(["d", "e", "f"]);
    }
    expect(await everything(log, topic)).toEqual(["a", "b", "c", "d", "e", "f"]);
    // A consumer that was down meanwhile goes on where the log differs from what it has read.
    const { values, resets } = await consumeAll({ ...stored, source: await openLog(server, { timeout: 60_000 }) });
    expect(values).toEqual(["d", "e", "f"]);
    expect(resets).toMatchObject([{ reason: "truncated", from: 5n, to: 3n }]);
  },
  TIMEOUT_MS,
);

/** Reads to the end, and tells what came and which resets there were. */
async function consumeAll(options: ConsumerOptions) {
  const resets: ConsumerEvent[] = [];
  const onEvent = (event: ConsumerEvent): void => void (event.type === "reset" && resets.push(event));
  const consumer = await createConsumer({ ...options, onEvent });
  const values: (string | null)[] = [];
  for await (const record of consumer) values.push(...textsOf([record]));
  await consumer.close();
  return { values, resets };
}

/** What is read on from the beginning, each fetch with the mark of the one before. */
async function everything(log: KafkaLog, topic: string): Promise<(string | null)[]> {
  const found: (string | null)[] = [];
  let position: { offset: bigint; mark?: string | undefined } = { offset: 0n };
  for (;;) {
    const { records, nextOffset, highWatermark, mark } = await fetchFrom(log, topic, { ...position, maxWait: 20_000 });
    found.push(...textsOf(records));
    if (nextOffset === highWatermark) return found;
    position = { offset: nextOffset, mark };
  }
}
