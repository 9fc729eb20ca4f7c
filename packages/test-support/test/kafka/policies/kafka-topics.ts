import { PATIENT_KAFKA } from "@tidemark/test-support/servers";
import { randomUUID } from "node:crypto";
import { Admin } from "@platformatic/kafka";
import type { RecordInput } from "@tidemark/core";
import { type KafkaLog, openKafkaLog } from "@tidemark/source-kafka";
import { vi } from "vitest";

type Server = { readonly urls: readonly string[] };

/** Where a server listens, as the client wants it. */
export function brokersOf(server: Server): string[] {
  return server.urls.map((url) => new URL(url).host);
}

/** Opens a log of its own: what one test does with it no other sees. */
export function openLog(server: Server, isolation?: "read_committed" | "read_uncommitted"): Promise<KafkaLog> {
  return openKafkaLog({ brokers: brokersOf(server), isolation, ...PATIENT_KAFKA });
}

/** A name that no other test uses. */
export function topicName(): string {
  return `policies-${randomUUID()}`;
}

/** Makes a topic of a new name, with Kafka's own settings. */
export async function makeTopic(
  server: Server,
  log: KafkaLog,
  partitions = 1,
  settings: Readonly<Record<string, string>> = { "retention.ms": "-1" },
): Promise<string> {
  const topic = topicName();
  await makeNamedTopic(server, log, topic, partitions, settings);
  return topic;
}

/** Deletes a topic and makes it again, as another process would. */
export async function recreateTopic(server: Server, topic: string, partitions = 1): Promise<void> {
  const log = await openLog(server);
  await log.admin.deleteTopic(topic);
  await log.admin.createTopic(topic, { partitions, retentionMs: null });
  await log.close();
}

async function makeNamedTopic(
  server: Server,
  log: KafkaLog,
  topic: string,
  partitions: number,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: brokersOf(server) });
  const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
  await admin.close();
  // The controller answers before the brokers have heard of it.
  await vi.waitUntil(async () => (await log.partitions(topic).catch(() => [])).length === partitions, {
    timeout: 60_000,
  });
}

/** Records whose values are numbers. */
export function numbered(count: number, timestampMs?: (index: number) => number): RecordInput[] {
  return Array.from({ length: count }, (_, index) => ({
    value: Buffer.from(String(index)),
    timestampMs: timestampMs?.(index),
  }));
}

/** The first offset and the end of a partition. */
export async function boundsOf(log: KafkaLog, topic: string, partition = 0): Promise<[bigint, bigint]> {
  const [first, end] = await log.listOffsets(topic, [
    { partition, timestamp: -2 },
    { partition, timestamp: -1 },
  ]);
  return [first?.offset ?? -1n, end?.offset ?? -1n];
}
