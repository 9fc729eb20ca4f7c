import { randomUUID } from "node:crypto";
import { Admin } from "@platformatic/kafka";
import { createConsumer } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { brokersOf, makeTopic, openLog } from "./fixtures/kafka-test-client.ts";

const RECORDS = 3;
const RECORD_BYTES = 20_000;
const BYTES_PER_SECOND = 5_000;

await describeWithServer("kafka", (server) => {
  it("a client over its quota waits, and reads on: the broker answers it without the partitions that it asked for", async () => {
    const clientId = `slow-${randomUUID()}`;
    const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: brokersOf(server) });
    await admin.alterClientQuotas({
      entries: [
        {
          entities: [{ entityType: "client-id", entityName: clientId }],
          ops: [{ key: "consumer_byte_rate", value: BYTES_PER_SECOND, remove: false }],
        },
      ],
      validateOnly: false,
    });
    await admin.close();
    const log = await openLog(server, { clientId });
    const topic = await makeTopic(log);
    for (let index = 0; index < RECORDS; index += 1) {
      await log.producer.produce(topic, 0, [{ value: Buffer.alloc(RECORD_BYTES, index) }]);
    }
    const consumer = await createConsumer({ source: log, topic, untilEnd: true, maxBytes: RECORD_BYTES });
    const offsets: bigint[] = [];
    for await (const { offset } of consumer) offsets.push(offset);
    await consumer.close();
    expect(offsets).toEqual(Array.from({ length: RECORDS }, (_, index) => BigInt(index)));
  });
});
