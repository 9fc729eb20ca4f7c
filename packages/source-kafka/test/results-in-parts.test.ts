import { randomUUID } from "node:crypto";
import type { LogRecord } from "@tidemark/core";
import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, vi } from "vitest";
import { fetchFrom, makeProducer, makeTopic, openLog, texts, textsOf } from "./fixtures/kafka-test-client.ts";
import { ONE_ANSWER, openCountingLog, readParts } from "./fixtures/counted-fetches.ts";

const MAX_RECORDS = 2_000;

await describeWithServer("kafka", (server) => {
  it.each(["none", "zstd"] as const)(
    "gives a batch of compression %s in parts, and asks the broker for it once",
    async (compression) => {
      const { log, fetches } = await openCountingLog(server);
      const topic = await makeTopic(await openLog(server));
      const values = numbered(10_001);
      await makeProducer(server, { compression }).send({
        messages: values.map((value) => ({ topic, partition: 0, value: Buffer.from(value) })),
      });
      const parts = await readParts(log, topic, 10_001n);
      expect(parts.map(({ length }) => length)).toEqual([2_000, 2_000, 2_000, 2_000, 2_000, 1]);
      const records = parts.flat();
      expect(textsOf(records)).toEqual(values);
      expect(records.map(({ offset }) => offset)).toEqual(values.map((_, index) => BigInt(index)));
      expect(fetches()).toBe(1);

      // From within the batch, and again: what was handed out once is asked for anew.
      const { records: some, nextOffset } = await fetchFrom(log, topic, { offset: 7_003n, maxBytes: ONE_ANSWER });
      expect([textsOf(some)[0], some.length, nextOffset]).toEqual(["7003", MAX_RECORDS, 9_003n]);
      expect((await readParts(log, topic, 10_001n, 9_003n)).flat()).toHaveLength(998);
      expect(fetches()).toBe(2);
      expect((await readParts(log, topic, 10_001n, 9_003n)).flat()).toHaveLength(998);
      expect(fetches()).toBe(3);
    },
  );

  it("counts what records come to when they are uncompressed", async () => {
    const { log, fetches } = await openCountingLog(server);
    const topic = await makeTopic(await openLog(server));
    await makeProducer(server, { compression: "zstd" }).send({
      messages: numbered(50).map((value) => ({ topic, partition: 0, value: Buffer.alloc(20_000, value) })),
    });
    const maxBytes = 100_000;
    const parts = await readParts(log, topic, 50n, 0n, maxBytes);
    expect(parts.flat()).toHaveLength(50);
    expect(Math.max(...parts.map(bytesOf))).toBeLessThanOrEqual(maxBytes);
    expect(fetches()).toBe(1);
    // A record that is larger comes alone.
    expect((await readParts(log, topic, 50n, 0n, 10_000)).map(({ length }) => length)).toEqual(
      numbered(50).map(() => 1),
    );
  });

  it("gives two readers of one log each the rest of their own answers", async () => {
    const { log, fetches } = await openCountingLog(server);
    const direct = await openLog(server);
    const topic = await makeTopic(direct);
    const values = numbered(6_000);
    await direct.producer.produce(topic, 0, texts(...values));
    const read = await Promise.all([readParts(log, topic, 6_000n), readParts(log, topic, 6_000n, 1_000n)]);
    expect(read.map((parts) => textsOf(parts.flat()))).toEqual([values, values.slice(1_000)]);
    expect(fetches()).toBe(2);
  });

  it("hides an aborted transaction that spans the parts of an answer, and passes over its marker", async () => {
    const { log, fetches } = await openCountingLog(server);
    const admin = await openLog(server, { isolation: "read_uncommitted" });
    const topic = await makeTopic(admin);
    const send = (...values: string[]) => ({
      messages: values.map((value) => ({ topic, partition: 0, value: Buffer.from(value) })),
    });
    const transaction = await makeProducer(server, { transactionalId: `test-${randomUUID()}` }).beginTransaction();
    await transaction.send(send("lost"));
    await admin.producer.produce(topic, 0, texts(...numbered(3_000)));
    await transaction.send(send("lost too"));
    await transaction.abort();
    await vi.waitUntil(async () => (await endOf(admin, topic)) === 3_003n, { timeout: 20_000 });
    await admin.producer.produce(topic, 0, texts("after"));

    const parts = await readParts(log, topic, 3_004n);
    expect(parts.map(({ length }) => length)).toEqual([1_999, 1_002]);
    expect(textsOf(parts.flat())).toEqual([...numbered(3_000), "after"]);
    expect(parts.flat().at(-1)?.offset).toBe(3_003n);
    expect(fetches()).toBe(1);
  });

  it("gives nothing of a topic that was deleted to readers of the one that has its name", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts(...numbered(3_000)));
    const { nextOffset, mark } = await fetchFrom(log, topic);
    expect(nextOffset).toBe(2_000n);
    await log.admin.deleteTopic(topic);
    await log.admin.createTopic(topic, { partitions: 1 });
    await log.producer.produce(topic, 0, texts(...numbered(3_000).map((text) => `new ${text}`)));
    await expect(fetchFrom(log, topic, { offset: nextOffset, mark })).rejects.toMatchObject({ reason: "other-log" });
    expect(textsOf((await fetchFrom(log, topic, { offset: nextOffset })).records)[0]).toBe("new 2000");
  });
});

async function endOf(log: KafkaLog, topic: string): Promise<bigint | undefined> {
  const [end] = await log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
  return end?.offset;
}

function bytesOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index));
}
