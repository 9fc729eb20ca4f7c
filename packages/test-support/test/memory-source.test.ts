import { testLogSource } from "@tidemark/core/conformance";
import { createMemorySource } from "@tidemark/test-support";
import { describe, expect, it } from "vitest";

testLogSource(
  { describe, it },
  {
    name: "the memory source",
    can: ["admin", "marks", "deleteRecords", "advanceTo", "advanceFar", "changeLeader", "truncate"],
    async open() {
      const source = createMemorySource();
      let topics = 0;
      return {
        source,
        async createTopic(partitions) {
          const topic = `topic-${topics++}`;
          await source.admin.createTopic(topic, { partitions });
          return topic;
        },
        produce: (topic, partition, records) => source.producer.produce(topic, partition, records),
        async deleteRecords(topic, partition, before) {
          source.deleteRecords(topic, partition, before);
        },
        async changeLeader(topic, partition) {
          source.changeLeader(topic, partition);
        },
        async truncate(topic, partition, from) {
          source.changeLeader(topic, partition, from);
        },
        async advanceTo(topic, partition, offset) {
          source.advanceTo(topic, partition, offset);
        },
        close: () => source.close(),
      };
    },
  },
);

describe("the memory source's levers", () => {
  async function sourceWith(records: number) {
    const source = createMemorySource();
    await source.admin.createTopic("t", { partitions: 2 });
    await source.producer.produce(
      "t",
      0,
      Array.from({ length: records }, () => ({ value: new Uint8Array(10) })),
    );
    return source;
  }

  it("fails the fetch that waits, and then no other", async () => {
    const source = await sourceWith(1);
    const failure = new Error("broken");
    const waiting = source.fetch({ topic: "t", partition: 0, offset: 1n, maxBytes: 100, maxWait: 10_000 });
    source.failNextFetch(0, failure);
    await expect(waiting).rejects.toBe(failure);
    const { records } = await source.fetch({ topic: "t", partition: 0, offset: 0n, maxBytes: 100, maxWait: 0 });
    expect(records).toHaveLength(1);
  });

  it("fails only the partition that it was told", async () => {
    const source = await sourceWith(1);
    source.failNextFetch(1, new Error("broken"));
    await source.fetch({ topic: "t", partition: 0, offset: 0n, maxBytes: 100, maxWait: 0 });
    await expect(source.fetch({ topic: "t", partition: 1, offset: 0n, maxBytes: 100, maxWait: 0 })).rejects.toThrow(
      "broken",
    );
  });

  it("gives the answer of listOffsets that was true when it was asked, when the hook lets it", async () => {
    const source = await sourceWith(5);
    const asked: number[] = [];
    source.delayListOffsets((_topic, entries) => {
      asked.push(...entries.map(({ partition }) => partition));
      source.deleteRecords("t", 0, 5n);
    });
    expect(await source.listOffsets("t", [{ partition: 0, timestamp: -2 }])).toMatchObject([
      { partition: 0, offset: 0n },
    ]);
    source.delayListOffsets(undefined);
    expect(await source.listOffsets("t", [{ partition: 0, timestamp: -2 }])).toMatchObject([
      { partition: 0, offset: 5n },
    ]);
    expect(asked).toEqual([0]);
  });

  it("starts a recreated topic at 0", async () => {
    const source = await sourceWith(5);
    source.recreateTopic("t");
    expect(await source.partitions("t")).toEqual([0, 1]);
    expect(await source.listOffsets("t", [{ partition: 0, timestamp: -1 }])).toMatchObject([
      { partition: 0, offset: 0n },
    ]);
  });

  it("refuses to delete beyond the end and to go back", async () => {
    const source = await sourceWith(5);
    expect(() => source.deleteRecords("t", 0, 6n)).toThrow(/out of range/);
    expect(() => source.advanceTo("t", 0, 5n)).toThrow(RangeError);
    expect(() => source.changeLeader("t", 0, 6n)).toThrow(RangeError);
  });
});
