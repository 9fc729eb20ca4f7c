import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer, launchOrSkip, type RunningServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { makeTopic, numbered, openLog } from "./kafka-topics.ts";
import { openConsumer } from "./observed-consumer.ts";
import { observe } from "./observed-log.ts";
import { watchedStore } from "./watched-store.ts";

const PARTITIONS = Array.from({ length: 20 }, (_, partition) => partition);
/** How long a refused partition waits for the others, less what timers may be early. */
const WAITS_MS = 490;
const LOST = [1, 4, 5, 9, 12, 17, 19];

/** Which policies, and how many calls each needs. */
const POLICIES = [
  { resetPolicy: "earliest", calls: 1 },
  // The log's bounds, and then the moment.
  { resetPolicy: "at_timestamp:2001-01-01T00:00:00Z", calls: 2 },
];

await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  beforeAll(async () => {
    log = await openLog(server);
  });
  afterAll(() => log.close());

  it.each(POLICIES)("looks 7 of 20 partitions up in one call: $resetPolicy", (policy) =>
    expectLookupsTogether(server, log, policy),
  );
});

it("looks 7 of 20 partitions of three brokers up in one call", async ({ skip }) => {
  const server = await launchOrSkip("kafka-cluster", skip);
  onTestFinished(() => server.stop());
  const log = await openLog(server);
  onTestFinished(() => log.close());
  for (const policy of POLICIES) await expectLookupsTogether(server, log, policy);
});

async function expectLookupsTogether(
  server: RunningServer,
  log: KafkaLog,
  { resetPolicy, calls }: (typeof POLICIES)[number],
): Promise<void> {
  const topic = await makeTopic(server, log, PARTITIONS.length);
  await Promise.all(PARTITIONS.map((partition) => log.producer.produce(topic, partition, numbered(10))));
  await Promise.all(LOST.map((partition) => log.deleteRecords(topic, partition, 6n)));
  const watched = watchedStore();
  await watched.put(topic, 2n, PARTITIONS);
  const observed = observe(log);
  const { consumer, resets } = await openConsumer({ source: observed.source, topic, resetPolicy }, watched);
  const seen = new Map<number, bigint[]>();
  let records = 0;
  for await (const { partition, offset } of consumer) {
    seen.set(partition, [...(seen.get(partition) ?? []), offset]);
    records += 1;
    if (records === 13 * 8 + 7 * 4) break;
  }
  // A machine that is so busy that a broker takes half a second between two answers has not failed them together.
  const rounds = observed.refusedWithinMs() < WAITS_MS ? 1 : LOST.length;
  expect(observed.lookups.length).toBeLessThanOrEqual(rounds * calls);
  expect(observed.lookups.flat().toSorted((a, b) => a - b)).toEqual(
    LOST.flatMap((partition) => Array.from({ length: calls }, () => partition)),
  );
  for (const partition of PARTITIONS) {
    expect(seen.get(partition)).toEqual(LOST.includes(partition) ? [6n, 7n, 8n, 9n] : [2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]);
  }
  const told = resets().toSorted((a, b) => a.partition - b.partition);
  expect(told.map(({ partition, from, to, skipped }) => [partition, from, to, skipped])).toEqual(
    LOST.map((partition) => [partition, 2n, 6n, 4n]),
  );
  expect(consumer.partitions).toEqual(PARTITIONS);
}
