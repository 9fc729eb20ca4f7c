import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import { kafkaLeadersOf, launchOrSkip, untilKafkaIsInSync } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { brokersOf, fetchFrom, openLog, textsOf, topicName } from "./fixtures/kafka-test-client.ts";

// Some 20 MiB: the follower needs minutes for it.
const RECORDS = 200;
const RECORD_BYTES = 100_000;

it("leaves a broker that came back as a follower, and does not wait for what that one has not copied", async ({
  skip,
}) => {
  const server = await launchOrSkip("kafka-cluster", skip);
  onTestFinished(() => server.stop());
  const reader = await openLog(server);
  const topic = topicName();
  await reader.admin.createTopic(topic, { partitions: 1 });
  await reader.producer.produce(topic, 0, [{ value: Buffer.from("before") }]);
  await untilKafkaIsInSync(server.urls, topic);
  const [former = 0] = await kafkaLeadersOf(server.url, topic);
  // From now on it believes to know who leads.
  expect(textsOf((await fetchFrom(reader, topic)).records)).toEqual(["before"]);

  await slowDownFollowers(server, topic);
  await server.nodes[former - 1]?.kill();
  const writer = await openLog(server, { brokers: brokersOf(server).filter((_, index) => index !== former - 1) });
  for (let written = 0; written < RECORDS; written += 1) {
    await writer.producer.produce(topic, 0, [{ value: Buffer.alloc(RECORD_BYTES, "x") }]);
  }
  await server.nodes[former - 1]?.restart();
  await vi.waitUntil(async () => (await kafkaLeadersOf(server.urls[former - 1] ?? "", topic))[0] !== former, {
    timeout: 30_000,
  });

  const signal = AbortSignal.timeout(60_000);
  let offset = 1n;
  while (offset <= RECORDS) {
    offset = (await fetchFrom(reader, topic, { offset, maxWait: 1_000, signal })).nextOffset;
  }
  expect(offset).toBe(BigInt(RECORDS + 1));
});

/** Lets copies that are out of sync come on by 1 MiB every ten seconds or so. */
async function slowDownFollowers(server: { readonly urls: readonly string[] }, topic: string): Promise<void> {
  const { SET } = IncrementalAlterConfigOperationTypes;
  const set = (name: string, value: string) => ({ name, configOperation: SET, value });
  const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: brokersOf(server) });
  try {
    await admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configs: [set("leader.replication.throttled.replicas", "*")],
        },
        ...server.urls.map((_, index) => ({
          resourceType: ConfigResourceTypes.BROKER,
          resourceName: String(index + 1),
          configs: [set("leader.replication.throttled.rate", "1")],
        })),
      ],
    });
  } finally {
    await admin.close();
  }
}
