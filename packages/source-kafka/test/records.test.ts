import { type CompressionAlgorithmValue, ProduceAcks } from "@platformatic/kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import {
  fetchFrom,
  makeConfiguredTopic,
  makeProducer,
  makeTopic,
  openLog,
  readAll,
  texts,
  textsOf,
} from "./fixtures/kafka-test-client.ts";

await describeWithServer("kafka", (server) => {
  it("delivers a record larger than maxBytes whole, and what comes after it", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, [{ value: Buffer.alloc(900_000, 7) }]);
    await log.producer.produce(topic, 0, texts("after"));
    const { records, nextOffset } = await fetchFrom(log, topic, { maxBytes: 100 });
    expect(records.map(({ value }) => value?.length)).toEqual([900_000]);
    expect(nextOffset).toBe(1n);
    expect(textsOf((await fetchFrom(log, topic, { offset: 1n })).records)).toEqual(["after"]);
  });

  it("says that a record is larger than the topic allows", async () => {
    const log = await openLog(server);
    const topic = await makeConfiguredTopic(log, server, { "max.message.bytes": "1000" });
    await expect(log.producer.produce(topic, 0, [{ value: Buffer.alloc(2_000) }])).rejects.toMatchObject({
      code: "UNSUPPORTED",
      retryable: false,
      topic,
    });
  });

  it.each<CompressionAlgorithmValue>(["none", "gzip", "snappy", "lz4", "zstd"])(
    "reads batches compressed with %s, from their middle too",
    async (compression) => {
      const log = await openLog(server);
      const topic = await makeTopic(log);
      const producer = makeProducer(server, { compression });
      const values = Array.from({ length: 100 }, (_, index) => `value ${index} ${"x".repeat(100)}`);
      await producer.send({
        // Before all replicas have it, a record is not in the log for readers.
        acks: ProduceAcks.ALL,
        messages: values.map((value) => ({ topic, partition: 0, key: Buffer.from("k"), value: Buffer.from(value) })),
      });
      expect(textsOf(await readAll(log, topic))).toEqual(values);
      const fromTheMiddle = await readAll(log, topic, 60n);
      expect(fromTheMiddle.map(({ offset }) => offset)).toEqual(values.slice(60).map((_, index) => BigInt(60 + index)));
    },
  );

  it("tells the broker's time where the topic keeps that", async () => {
    const log = await openLog(server);
    const topic = await makeConfiguredTopic(log, server, { "message.timestamp.type": "LogAppendTime" });
    const before = Date.now();
    await log.producer.produce(topic, 0, [{ value: null, timestampMs: 1_000 }]);
    const [record] = await readAll(log, topic);
    expect(record?.timestampMs).toBeGreaterThanOrEqual(before);
  });

  it("serves many partitions in few requests, and none of them only after another's wait", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log, 30);
    const partitions = await log.partitions(topic);
    const began = performance.now();
    const controller = new AbortController();
    const waiting = partitions.map((partition) =>
      fetchFrom(log, topic, { partition, maxWait: 100_000, signal: controller.signal }),
    );
    // Whatever waits, another fetch, a question and a write are answered.
    expect((await fetchFrom(log, topic, { partition: 7 })).records).toEqual([]);
    await log.producer.produce(topic, 7, texts("seven"));
    expect(textsOf((await waiting[7])?.records ?? [])).toEqual(["seven"]);
    const later = fetchFrom(log, topic, { partition: 7, offset: 1n, maxWait: 100_000 });
    await log.producer.produce(topic, 7, texts("again"));
    expect(textsOf((await later).records)).toEqual(["again"]);
    expect(performance.now() - began).toBeLessThan(80_000);
    controller.abort(new Error("enough"));
    const others = await Promise.allSettled(waiting);
    expect(others.filter(({ status }) => status === "rejected")).toHaveLength(29);
  });

  it("gives each of many partitions its records although they do not fit into one answer", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log, 8);
    const partitions = await log.partitions(topic);
    for (const partition of partitions) await log.producer.produce(topic, partition, [{ value: Buffer.alloc(50_000) }]);
    const results = await Promise.all(
      partitions.map((partition) => fetchFrom(log, topic, { partition, maxBytes: 10 })),
    );
    expect(results.map(({ records }) => records.length)).toEqual(partitions.map(() => 1));
  });
});
