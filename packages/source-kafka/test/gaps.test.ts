import { randomUUID } from "node:crypto";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, vi } from "vitest";
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
  it("passes over what compaction removed, and over batches of which nothing is left", async () => {
    const log = await openLog(server);
    const topic = await makeConfiguredTopic(log, server, {
      "cleanup.policy": "compact",
      "segment.ms": "100",
      "min.cleanable.dirty.ratio": "0.01",
    });
    const put = (key: string, value: string) =>
      log.producer.produce(topic, 0, [{ key: Buffer.from(key), value: Buffer.from(value) }]);
    for (const value of ["1", "2", "3"]) await put("a", value);
    await put("b", "1");
    for (const value of ["4", "5"]) await put("a", value);
    // The segment that is written to is not compacted: each of these begins another one.
    await vi.waitUntil(
      async () => {
        await put("c", "x");
        return (await readAll(log, topic)).filter(({ key }) => Buffer.from(key ?? []).toString() === "a").length === 1;
      },
      { timeout: 20_000, interval: 150 },
    );
    const records = await readAll(log, topic);
    const left = records.filter(({ key }) => Buffer.from(key ?? []).toString() !== "c");
    expect(left.map(({ offset }) => offset)).toEqual([3n, 5n]);
    // From within the gap, too.
    const { records: fromGap, nextOffset } = await fetchFrom(log, topic, { offset: 1n });
    expect(fromGap[0]?.offset).toBe(3n);
    expect(nextOffset).toBeGreaterThan(5n);
  });

  it("shows committed transactions and no aborted ones, and passes over their markers", async () => {
    const log = await openLog(server);
    const dirty = await openLog(server, { isolation: "read_uncommitted" });
    const topic = await makeTopic(log);
    const producer = makeProducer(server, { transactionalId: `test-${randomUUID()}` });
    const inTransaction = async (end: "commit" | "abort", ...values: string[]) => {
      const transaction = await producer.beginTransaction();
      await transaction.send({ messages: values.map((value) => ({ topic, partition: 0, value: Buffer.from(value) })) });
      const [before] = await dirty.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
      await transaction[end]();
      // The coordinator answers before the marker is in the partition.
      await vi.waitUntil(
        async () => {
          const [after] = await dirty.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
          return after?.offset !== before?.offset;
        },
        { timeout: 20_000 },
      );
    };
    await inTransaction("commit", "a", "b");
    await inTransaction("abort", "lost", "lost too");
    await log.producer.produce(topic, 0, texts("plain"));
    await inTransaction("commit", "c");
    const offsets = (records: readonly { offset: bigint }[]) => records.map(({ offset }) => offset);
    const committed = await readAll(log, topic);
    expect(textsOf(committed)).toEqual(["a", "b", "plain", "c"]);
    expect(offsets(committed)).toEqual([0n, 1n, 6n, 7n]);
    expect(textsOf(await readAll(dirty, topic))).toEqual(["a", "b", "lost", "lost too", "plain", "c"]);
    // Nothing but a marker is left: past it, and at the end.
    expect(await fetchFrom(log, topic, { offset: 8n })).toMatchObject({
      records: [],
      nextOffset: 9n,
      highWatermark: 9n,
    });
    expect(await fetchFrom(log, topic, { offset: 3n, maxBytes: 1 })).toMatchObject({ records: [], nextOffset: 5n });
  });

  it("waits at the first open transaction, and goes on when it is committed", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    const producer = makeProducer(server, { transactionalId: `test-${randomUUID()}` });
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from("open") }] });
    await log.producer.produce(topic, 0, texts("behind it"));
    expect(await fetchFrom(log, topic)).toMatchObject({ records: [], nextOffset: 0n, highWatermark: 0n });
    // Beyond what is committed, and yet in the log.
    expect(await fetchFrom(log, topic, { offset: 2n })).toMatchObject({ records: [], nextOffset: 2n });
    // The end, and with it a consumer's lag, is where this isolation's readers get to, not Kafka's high watermark.
    const dirty = await openLog(server, { isolation: "read_uncommitted" });
    for (const [reader, offset] of [
      [log, 0n],
      [dirty, 2n],
    ] as const) {
      expect(await reader.listOffsets(topic, [{ partition: 0, timestamp: -1 }])).toMatchObject([
        { partition: 0, offset },
      ]);
    }
    const waiting = fetchFrom(log, topic, { maxWait: 20_000 });
    await transaction.commit();
    expect(textsOf((await waiting).records)[0]).toBe("open");
    expect(textsOf(await readAll(log, topic))).toEqual(["open", "behind it"]);
  });
});
