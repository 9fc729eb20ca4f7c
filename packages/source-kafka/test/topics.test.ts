import { Admin, ConfigResourceTypes, ConfigSources } from "@platformatic/kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { brokersOf, makeConfiguredTopic, openLog, topicName } from "./fixtures/kafka-test-client.ts";
import { openOlderBrokerForTest } from "./fixtures/older-broker.ts";

const CREATE_TOPICS = 19;
const INVALID_REPLICATION_FACTOR = 38;

await describeWithServer("kafka", (server) => {
  it("keeps the time to live of consumers for every client, and for this topic only", async () => {
    const log = await openLog(server);
    const topic = topicName();
    await log.admin.createTopic(topic, { partitions: 1, consumerTtl: 5_000 });
    const other = await openLog(server);
    expect(await other.admin.describeTopic(topic)).toMatchObject({ name: topic, partitions: 1, consumerTtl: 5_000 });
    await other.admin.alterTopic(topic, { consumerTtl: 6_000 });
    expect(await log.admin.describeTopic(topic)).toMatchObject({ consumerTtl: 6_000 });
    await other.admin.deleteTopic(topic);
    await other.admin.createTopic(topic, { partitions: 1 });
    expect(await log.admin.describeTopic(topic)).not.toHaveProperty("consumerTtl");
  });

  it("marks topics that belong to the system, its own one among them", async () => {
    const log = await openLog(server);
    const topic = topicName();
    await log.admin.createTopic(topic, { partitions: 1, consumerTtl: 5_000 });
    const topics = await log.admin.listTopics();
    expect(topics.find(({ name }) => name === "__tidemark_topic_settings")).toMatchObject({ internal: true });
    expect(topics.find(({ name }) => name === topic)).toMatchObject({ internal: false, consumerTtl: 5_000 });
  });

  it("leaves to the brokers what is not said of a new topic, and keeps records for ever where that is said", async () => {
    const log = await openLog(server);
    const [plain, kept] = [topicName(), topicName()];
    await log.admin.createTopic(plain, {});
    await log.admin.createTopic(kept, { partitions: 2, retentionMs: null });
    const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: brokersOf(server) });
    const settings = async (topic: string) => {
      const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }];
      const [found] = await admin.describeConfigs({ resources });
      const ofTopic = found?.configs.filter(({ configSource }) => configSource === ConfigSources.TOPIC_CONFIG);
      return Object.fromEntries(ofTopic?.map(({ name, value }) => [name, value]) ?? []);
    };
    expect(await settings(plain)).toEqual({});
    expect(await settings(kept)).toEqual({ "retention.ms": "-1" });
    await admin.close();
    // A broker's own default is a week.
    expect(await log.admin.describeTopic(plain)).toMatchObject({ partitions: 1, retentionMs: 7 * 24 * 3_600_000 });
    expect(await log.admin.describeTopic(kept)).toEqual({ name: kept, internal: false, partitions: 2 });
  });

  it("shows the retention that others set", async () => {
    const log = await openLog(server);
    const configured = await makeConfiguredTopic(log, server, { "retention.ms": "70000", "retention.bytes": "8000" });
    expect(await log.admin.describeTopic(configured)).toMatchObject({ retentionMs: 70_000, retentionBytes: 8_000 });
    await log.admin.alterTopic(configured, { retentionMs: null, retentionBytes: 9_000, partitions: 4 });
    expect(await log.admin.describeTopic(configured)).toEqual({
      name: configured,
      internal: false,
      partitions: 4,
      retentionBytes: 9_000,
    });
  });

  it("lists hundreds of topics in a moment", async () => {
    const log = await openLog(server);
    const names = Array.from({ length: 20 }, topicName);
    await Promise.all(names.map((name) => log.admin.createTopic(name, { partitions: 1 })));
    const listed = (await log.admin.listTopics()).map(({ name }) => name);
    expect(listed).toEqual(expect.arrayContaining(names));
    expect(listed).toEqual(listed.toSorted());
  });

  it("asks again for a new topic while the broker's heartbeats are late, as after the machine stood still", async () => {
    const topic = `${topicName()}-whose-name-has-room-for-the-other-reason`;
    await (await openLog(server)).admin.createTopic(topic, { partitions: 1 });
    // The controller refuses in this form while all brokers are fenced; here what it refuses is another thing.
    const reason = `Topic '${topic}' already exists.`;
    const fenced = "Unable to replicate the partition 1 time(s): All brokers are currently fenced.".padEnd(
      reason.length,
    );
    let refusals = 0;
    const broker = await openOlderBrokerForTest(server, { 3: 12, 18: 0, [CREATE_TOPICS]: 4 }, (request, answer) => {
      if (request !== CREATE_TOPICS) return answer;
      refusals += 1;
      if (refusals > 2) return answer;
      const at = answer.indexOf(reason);
      const changed = Buffer.from(answer);
      changed.write(fenced, at);
      // The code stands before the text's length.
      changed.writeInt16BE(INVALID_REPLICATION_FACTOR, at - 4);
      return changed;
    });
    const log = await openLog(broker);
    await expect(log.admin.createTopic(topic, { partitions: 1 })).rejects.toMatchObject({ code: "TOPIC_EXISTS" });
    expect(refusals).toBe(3);
  });
});
