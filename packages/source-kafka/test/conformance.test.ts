import { randomUUID } from "node:crypto";
import { Producer } from "@platformatic/kafka";
import type { LogSource } from "@tidemark/core";
import { testLogSource } from "@tidemark/core/conformance";
import { openKafkaLog } from "@tidemark/source-kafka";
import { describeWithServer, type RunningServer, PATIENT_KAFKA } from "@tidemark/test-support/servers";
import { describe, it, vi } from "vitest";
import { brokersOf, topicName } from "./fixtures/kafka-test-client.ts";

/** Fills offsets with a transaction that is aborted: its records, and the marker behind them, are not for readers. */
async function leaveGap(
  server: RunningServer,
  source: LogSource,
  topic: string,
  partition: number,
  offset: bigint,
): Promise<void> {
  const end = async () => (await source.listOffsets(topic, [{ partition, timestamp: -1 }]))[0]?.offset ?? 0n;
  const records = Number(offset - (await end())) - 1;
  const producer = new Producer({
    clientId: "tidemark-test",
    bootstrapBrokers: brokersOf(server),
    idempotent: true,
    transactionalId: `test-${randomUUID()}`,
    // The broker makes its own topic of transactions with the first one.
    ...{ retries: 60, retryDelay: 250 },
  });
  try {
    const transaction = await producer.beginTransaction();
    const messages = Array.from({ length: records }, () => ({ topic, partition, value: Buffer.from("aborted") }));
    await transaction.send({ messages });
    await transaction.abort();
  } finally {
    await producer.close(true);
  }
  // The coordinator answers before the marker is in the partition.
  await vi.waitUntil(async () => (await end()) === offset, { timeout: 20_000 });
}

await describeWithServer("kafka", (server) => {
  testLogSource(
    { describe, it: it.concurrent },
    {
      name: `the log of ${server.version}`,
      // A broker gives offsets in order: a gap as large as 2^53 cannot be made. See int64.test.ts.
      can: ["admin", "marks", "deleteRecords", "advanceTo"],
      async open() {
        const source = await openKafkaLog({ brokers: brokersOf(server), ...PATIENT_KAFKA });
        const other = await openKafkaLog({ brokers: brokersOf(server), ...PATIENT_KAFKA });
        return {
          source,
          async createTopic(partitions) {
            const topic = topicName();
            await other.admin.createTopic(topic, { partitions, retentionMs: null });
            return topic;
          },
          produce: (topic, partition, records) => other.producer.produce(topic, partition, records),
          deleteRecords: (topic, partition, before) => other.deleteRecords(topic, partition, before),
          advanceTo: (topic, partition, offset) => leaveGap(server, source, topic, partition, offset),
          async close() {
            await source.close();
            await other.close();
          },
        };
      },
    },
  );
});
