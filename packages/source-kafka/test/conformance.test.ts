import { testLogSource } from "@tidemark/core/conformance";
import { openKafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { describe, it } from "vitest";
import { brokersOf, topicName } from "./fixtures/kafka-test-client.ts";

await describeWithServer("kafka", (server) => {
  testLogSource(
    { describe, it: it.concurrent },
    {
      name: `the log of ${server.version}`,
      // A broker gives offsets in order: a gap of any size cannot be made. Small ones are in gaps.test.ts.
      can: ["admin", "deleteRecords"],
      async open() {
        const source = await openKafkaLog({ brokers: brokersOf(server) });
        const other = await openKafkaLog({ brokers: brokersOf(server) });
        return {
          source,
          async createTopic(partitions) {
            const topic = topicName();
            await other.admin.createTopic(topic, { partitions });
            return topic;
          },
          produce: (topic, partition, records) => other.producer.produce(topic, partition, records),
          deleteRecords: (topic, partition, before) => other.deleteRecords(topic, partition, before),
          async close() {
            await source.close();
            await other.close();
          },
        };
      },
    },
  );
});
