import { OffsetOutOfRangeError } from "@tidemark/core";
import { testLogSource } from "@tidemark/core/conformance";
import { openKafkaLog } from "@tidemark/source-kafka";
import { describeWithServer, PATIENT_KAFKA } from "@tidemark/test-support/servers";
import { describe, expect, it } from "vitest";
import { brokersOf, fetchFrom, makeTopic, openLog, texts, textsOf, topicName } from "./fixtures/kafka-test-client.ts";
import { type KnownVersions, openOlderBroker, openOlderBrokerForTest } from "./fixtures/older-broker.ts";

// What Azure Event Hubs has told its clients since 2018: at times less, here the least of each.
const EVENT_HUBS: KnownVersions = {
  ...{
    0: 5,
    1: 6,
    2: 2,
    3: 5,
    8: 3,
    9: 3,
    10: 1,
    11: 2,
    12: 1,
    13: 1,
    14: 1,
    15: 1,
    16: 1,
    17: 1,
    18: 0,
    19: 2,
    20: 2,
  },
  ...{ 32: 2, 36: 0, 37: 1, 42: 0 },
};
// The least that is enough to read, with all that the command can do beside it.
const LEAST: KnownVersions = {
  ...{ 0: 3, 1: 4, 2: 1, 3: 4, 18: 0, 19: 2, 20: 1, 21: 0, 22: 0, 32: 1, 37: 0, 44: 0 },
};

await describeWithServer("kafka", (server) => {
  testLogSource(
    { describe, it: it.concurrent },
    {
      name: `the log of ${server.version}, by the oldest requests`,
      can: ["admin", "deleteRecords"],
      async open() {
        const broker = await openOlderBroker(server, LEAST);
        const source = await openKafkaLog({ brokers: brokersOf(broker), ...PATIENT_KAFKA });
        return {
          source,
          async createTopic(partitions) {
            const topic = topicName();
            await source.admin.createTopic(topic, { partitions, retentionMs: null });
            return topic;
          },
          produce: (topic, partition, records) => source.producer.produce(topic, partition, records),
          deleteRecords: (topic, partition, before) => source.deleteRecords(topic, partition, before),
          async close() {
            await source.close();
            await broker.close();
          },
        };
      },
    },
  );

  it("reads and writes with no more requests than Event Hubs knows", async () => {
    const broker = await openOlderBrokerForTest(server, EVENT_HUBS);
    const log = await openLog(broker);
    const topic = await makeTopic(log, 2);
    expect(await log.partitions(topic)).toEqual([0, 1]);
    expect(await log.producer.produce(topic, 1, texts("a", "b"))).toBe(0n);
    expect(await log.producer.produce(topic, 1, texts("c"))).toBe(2n);
    const read = await fetchFrom(log, topic, { partition: 1, maxWait: 10_000 });
    expect(textsOf(read.records)).toEqual(["a", "b", "c"]);
    // Neither topics have ids there nor leaders epochs: any log takes the position.
    expect(read).not.toHaveProperty("mark");
    expect(await log.listOffsets(topic, [{ partition: 1, timestamp: -1 }])).toEqual([{ partition: 1, offset: 3n }]);
    await expect(fetchFrom(log, topic, { partition: 1, offset: 4n })).rejects.toThrow(OffsetOutOfRangeError);
    // A mark from before the broker was changed for another one is no hindrance.
    const { mark } = await fetchFrom(await openLog(server), topic, { partition: 1 });
    const { records } = await fetchFrom(log, topic, { partition: 1, offset: 2n, ...(mark !== undefined && { mark }) });
    expect(textsOf(records)).toEqual(["c"]);
    await log.admin.deleteTopic(topic);
    await expect(log.partitions(topic)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC" });
    expect([...broker.asked]).toEqual(expect.arrayContaining(["1 v4", "2 v2", "3 v4", "18 v0", "18 v3"]));
  });

  it("says of a broker that knows no usable Metadata what it has to be", async () => {
    const broker = await openOlderBrokerForTest(server, { ...EVENT_HUBS, 3: 3 });
    await expect(openKafkaLog({ brokers: brokersOf(broker), ...PATIENT_KAFKA })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("older than 4") as unknown,
    });
  });
});
