import { randomUUID } from "node:crypto";
import { Producer } from "@platformatic/kafka";
import type { RecordInput } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";

/**
 * The topics that requests are about. `full`: two partitions with records 0 to 9, six minutes apart, the first an hour old.
 * `trimmed`: one like them whose records before 4 are deleted. `emptied`: five records, all deleted. `empty`: never had any.
 * `open`: records 0 to 9, and an open transaction behind them.
 */
export type TopicKind = "full" | "trimmed" | "emptied" | "empty" | "open";

/** Topics of one broker that nobody writes to any more. */
export interface ResetTopics extends AsyncDisposable {
  name(kind: TopicKind): string;
  /** When record 0 was written, in milliseconds since the epoch. */
  readonly firstAtMs: number;
}

const MINUTE_MS = 60_000;
const RECORDS = 10;

/** Makes the topics, and holds the transaction open until it is disposed of. */
export async function makeResetTopics(log: KafkaLog, broker: string): Promise<ResetTopics> {
  const prefix = `reset-${randomUUID()}`;
  const name = (kind: TopicKind): string => `${prefix}-${kind}`;
  // Whole seconds: one of the forms of a date has no others.
  const firstAtMs = Math.floor((Date.now() - 60 * MINUTE_MS) / 1000) * 1000;
  const records = (count: number): RecordInput[] =>
    Array.from({ length: count }, (_, index) => ({
      value: Buffer.from(String(index)),
      timestampMs: firstAtMs + 6 * MINUTE_MS * index,
    }));
  await log.admin.createTopic(name("full"), { partitions: 2, retentionMs: null });
  for (const kind of ["trimmed", "emptied", "empty", "open"] as const) {
    await log.admin.createTopic(name(kind), { partitions: 1, retentionMs: null });
  }
  for (const partition of [0, 1]) await log.producer.produce(name("full"), partition, records(RECORDS));
  await log.producer.produce(name("trimmed"), 0, records(RECORDS));
  await log.deleteRecords(name("trimmed"), 0, 4n);
  await log.producer.produce(name("emptied"), 0, records(5));
  await log.deleteRecords(name("emptied"), 0, 5n);
  await log.producer.produce(name("open"), 0, records(RECORDS));
  const producer = new Producer({
    clientId: "tidemark-test",
    bootstrapBrokers: [broker],
    idempotent: true,
    transactionalId: prefix,
    // The broker makes its topic of transactions when it is first asked.
    retries: 30,
    // Also how long the transaction may stay open.
    timeout: 600_000,
  });
  const transaction = await producer.beginTransaction();
  await transaction.send({ messages: [{ topic: name("open"), partition: 0, value: Buffer.from("not yet") }] });
  return {
    name,
    firstAtMs,
    async [Symbol.asyncDispose]() {
      // The broker may have ended it meanwhile, on a machine that was slow.
      await transaction.abort().catch(() => {});
      await producer.close(true);
    },
  };
}
