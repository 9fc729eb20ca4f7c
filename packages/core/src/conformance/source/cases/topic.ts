import { assert } from "../../assert.ts";
import { fetchOf, readRecords, rejectsWithCode, textOf, textRecord } from "../reading.ts";
import type { SourceConformanceCase } from "../source-case.ts";

/** Topics and partitions. */
export const topicCases: readonly SourceConformanceCase[] = [
  {
    id: "topic/partitions",
    clause: "7.1",
    title: "partitions are numbered from 0 and given in ascending order",
    async run(opened) {
      const { source } = opened;
      assert.deepEqual(await source.partitions(await opened.createTopic(1)), [0]);
      assert.deepEqual(
        await source.partitions(await opened.createTopic(12)),
        Array.from({ length: 12 }, (_, partition) => partition),
      );
    },
  },
  {
    id: "topic/unknown",
    clause: "7.1",
    title: "a topic that is not there is UNKNOWN_TOPIC to every call, and the error names it",
    async run(opened) {
      const { source } = opened;
      const topic = `${await opened.createTopic(1)}-not-there`;
      for (const call of [
        source.partitions(topic),
        source.fetch(fetchOf(topic)),
        source.listOffsets(topic, [{ partition: 0, timestamp: -2 }]),
      ]) {
        const error = await rejectsWithCode(call, "UNKNOWN_TOPIC");
        assert.equal(error.topic, topic);
        assert.ok(error.message.includes(topic), `the message does not name the topic: ${error.message}`);
      }
    },
  },
  {
    id: "topic/unknown-partition",
    clause: "7.1",
    title: "a partition that is not there is UNKNOWN_PARTITION, and the error names topic and partition",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(2);
      for (const call of [
        source.fetch(fetchOf(topic, { partition: 2 })),
        source.listOffsets(topic, [
          { partition: 0, timestamp: -2 },
          { partition: 2, timestamp: -2 },
        ]),
      ]) {
        const error = await rejectsWithCode(call, "UNKNOWN_PARTITION");
        assert.deepEqual({ topic: error.topic, partition: error.partition }, { topic, partition: 2 });
      }
    },
  },
  {
    id: "topic/partitions-apart",
    clause: "7.1",
    title: "each partition has offsets and records of its own",
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(2);
      await opened.produce(topic, 0, [textRecord("a"), textRecord("b")]);
      await opened.produce(topic, 1, [textRecord("c")]);
      const first = await readRecords(source, topic, 2);
      const [second] = await readRecords(source, topic, 1, { partition: 1 });
      assert.deepEqual(first.map(textOf), ["a", "b"]);
      assert.ok(second !== undefined);
      assert.deepEqual([second.topic, second.partition, second.offset, textOf(second)], [topic, 1, 0n, "c"]);
    },
  },
  {
    id: "topic/recreated",
    clause: "7.1",
    title: "a topic that is deleted and recreated starts at offset 0, and knows nothing of its former records",
    needs: ["admin"],
    async run(opened) {
      const { source } = opened;
      const topic = await opened.createTopic(1);
      await opened.produce(topic, 0, [textRecord("a"), textRecord("b"), textRecord("c")]);
      await source.admin?.deleteTopic(topic);
      await rejectsWithCode(source.fetch(fetchOf(topic)), "UNKNOWN_TOPIC");
      await source.admin?.createTopic(topic, { partitions: 1 });
      const [end] = await source.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
      assert.equal(end?.offset, 0n);
      await opened.produce(topic, 0, [textRecord("new")]);
      const records = await readRecords(source, topic, 1);
      assert.deepEqual(
        records.map((record) => [record.offset, textOf(record)]),
        [[0n, "new"]],
      );
    },
  },
  {
    id: "topic/admin",
    clause: "7.1",
    title: "settings are kept as given, changed one by one, removed by null; partitions only grow",
    needs: ["admin"],
    async run(opened) {
      const { source } = opened;
      const { admin } = source;
      assert.ok(admin !== undefined);
      const topic = `${await opened.createTopic(1)}-settings`;
      await admin.createTopic(topic, { partitions: 2, consumerTtl: 5_000 });
      await rejectsWithCode(admin.createTopic(topic, { partitions: 2 }), "TOPIC_EXISTS");
      await admin.alterTopic(topic, { partitions: 3, retentionMs: 60_000 });
      const expected = { name: topic, internal: false, partitions: 3, consumerTtl: 5_000, retentionMs: 60_000 };
      assert.deepEqual(await admin.describeTopic(topic), expected);
      await admin.alterTopic(topic, { consumerTtl: null });
      await assert.rejects(admin.alterTopic(topic, { partitions: 2 }), RangeError);
      assert.equal("consumerTtl" in (await admin.describeTopic(topic)), false);
      const names = (await admin.listTopics()).map(({ name }) => name);
      assert.deepEqual(names, [...names].sort());
      assert.ok(names.includes(topic));
      await admin.deleteTopic(topic);
      for (const call of [admin.describeTopic(topic), admin.alterTopic(topic, {}), admin.deleteTopic(topic)]) {
        await rejectsWithCode(call, "UNKNOWN_TOPIC");
      }
    },
  },
];
