import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { makeConfiguredTopic, makeTopic, openLog, topicName } from "./fixtures/kafka-test-client.ts";

await describeWithServer("kafka", (server) => {
  it("keeps the time to live of consumers for every client, and for this topic only", async () => {
    const log = await openLog(server);
    const topic = topicName();
    await log.admin.createTopic(topic, { partitions: 1, consumerTtl: 5_000 });
    const other = await openLog(server);
    expect(await other.admin.describeTopic(topic)).toEqual({
      name: topic,
      internal: false,
      partitions: 1,
      consumerTtl: 5_000,
    });
    await other.admin.alterTopic(topic, { consumerTtl: 6_000 });
    expect(await log.admin.describeTopic(topic)).toMatchObject({ consumerTtl: 6_000 });
    await other.admin.deleteTopic(topic);
    await other.admin.createTopic(topic, { partitions: 1 });
    expect(await log.admin.describeTopic(topic)).toEqual({ name: topic, internal: false, partitions: 1 });
  });

  it("marks topics that belong to the system, its own one among them", async () => {
    const log = await openLog(server);
    const topic = topicName();
    await log.admin.createTopic(topic, { partitions: 1, consumerTtl: 5_000 });
    const topics = await log.admin.listTopics();
    expect(topics.find(({ name }) => name === "__tidemark_topic_settings")).toMatchObject({ internal: true });
    expect(topics.find(({ name }) => name === topic)).toMatchObject({ internal: false, consumerTtl: 5_000 });
  });

  it("keeps records for ever unless told otherwise, and shows the retention that others set", async () => {
    const log = await openLog(server);
    const plain = await makeTopic(log);
    expect(await log.admin.describeTopic(plain)).toEqual({ name: plain, internal: false, partitions: 1 });
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
});
