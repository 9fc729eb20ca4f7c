import { describe, expect, it } from "vitest";
import { boundsOf, readTexts, temporaryLog, texts } from "./fixtures/log-folder.ts";

const oddNames = [
  ":",
  "/",
  "..",
  "%2F",
  "*",
  "{}",
  "a\nb",
  "🌊",
  "__proto__",
  "a\0b",
  "a\0c",
  "a",
  "é",
  "e\u0301",
  "x".repeat(255),
];

describe("topics", () => {
  it("tells odd names apart and gives them back as they were", async () => {
    const { log, file } = await temporaryLog();
    for (const name of oddNames) {
      await log.admin.createTopic(name, { partitions: 1 });
      await log.producer.produce(name, 0, texts(name));
    }
    await log.close();
    const { log: again } = await temporaryLog({ file });
    expect((await again.admin.listTopics()).map(({ name }) => name)).toEqual(oddNames.toSorted());
    for (const name of oddNames) expect(await readTexts(again, name)).toEqual([name]);
  });

  it("says which topics are internal", async () => {
    const { log } = await temporaryLog();
    await log.admin.createTopic("__offsets", { partitions: 1 });
    await log.admin.createTopic("_user", { partitions: 1 });
    expect((await log.admin.listTopics()).map(({ name, internal }) => [name, internal])).toEqual([
      ["__offsets", true],
      ["_user", false],
    ]);
  });

  it("tells how to make a topic that is not there, and how many partitions one has", async () => {
    const { log } = await temporaryLog();
    await expect(log.partitions("orders")).rejects.toThrow(
      'there is no topic "orders"; create it with: tidemark topic create orders',
    );
    await expect(log.partitions("a b")).rejects.toThrow('tidemark topic create "a b"');
    await log.admin.createTopic("orders", { partitions: 3 });
    await expect(log.listOffsets("orders", [{ partition: 3, timestamp: -1 }])).rejects.toThrow(
      "it has partitions 0 to 2",
    );
  });

  it("refuses settings that make no sense", async () => {
    const { log } = await temporaryLog();
    for (const config of [
      { partitions: 0 },
      { partitions: 10_001 },
      { partitions: 1.5 },
      { partitions: 1, consumerTtl: 0 },
      { partitions: 1, retentionMs: -1 },
      { partitions: 1, retentionBytes: Number.NaN },
    ]) {
      await expect(log.admin.createTopic("t", config)).rejects.toThrow(RangeError);
    }
    await expect(log.admin.createTopic("", { partitions: 1 })).rejects.toThrow(TypeError);
    await log.admin.createTopic("t", { partitions: 10_000 });
    expect(await log.partitions("t")).toHaveLength(10_000);
    expect(await boundsOf(log, "t", 9_999)).toEqual([0n, 0n]);
  });

  it("makes one partition, and keeps all records, where nothing else is said", async () => {
    const { log } = await temporaryLog();
    for (const [name, config] of [
      ["a", {}],
      ["b", { consumerTtl: null, retentionMs: null, retentionBytes: null }],
    ] as const) {
      await log.admin.createTopic(name, config);
      expect(await log.admin.describeTopic(name)).toEqual({ name, internal: false, partitions: 1 });
    }
  });

  it("gives new partitions to a topic that grows", async () => {
    const { log } = await temporaryLog();
    await log.admin.createTopic("t", { partitions: 1 });
    await log.producer.produce("t", 0, texts("a"));
    await log.admin.alterTopic("t", { partitions: 2 });
    await log.producer.produce("t", 1, texts("b"));
    expect([await readTexts(log, "t"), await readTexts(log, "t", 0n, 1)]).toEqual([["a"], ["b"]]);
  });
});

describe("producing", () => {
  it("refuses a batch with one bad record as a whole", async () => {
    const { log } = await temporaryLog();
    await log.admin.createTopic("t", { partitions: 1 });
    for (const bad of [
      { value: "text" },
      { value: undefined },
      { value: null, timestampMs: -1 },
      { value: null, key: 1 },
    ]) {
      const records = [...texts("good"), bad as unknown as { value: null }];
      await expect(log.producer.produce("t", 0, records)).rejects.toThrow(/records\[1\]/);
    }
    expect(await boundsOf(log, "t")).toEqual([0n, 0n]);
  });

  it("answers an empty batch with the next offset", async () => {
    const { log } = await temporaryLog();
    await log.admin.createTopic("t", { partitions: 1 });
    await log.producer.produce("t", 0, texts("a"));
    expect(await log.producer.produce("t", 0, [])).toBe(1n);
  });

  it("survives being closed and opened, with the next offset", async () => {
    const { log, file } = await temporaryLog({ synchronous: "normal" });
    await log.admin.createTopic("t", { partitions: 1, consumerTtl: 5 });
    await log.producer.produce("t", 0, texts("a", "b"));
    await log.close();
    const { log: again } = await temporaryLog({ file });
    expect(await again.producer.produce("t", 0, texts("c"))).toBe(2n);
    expect(await readTexts(again, "t")).toEqual(["a", "b", "c"]);
    expect(await again.admin.describeTopic("t")).toMatchObject({ partitions: 1, consumerTtl: 5 });
  });
});
