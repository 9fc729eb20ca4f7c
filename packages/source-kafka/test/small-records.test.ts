import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describeWithServer, PATIENT_KAFKA } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { brokersOf, makeProducer, makeTopic, openLog } from "./fixtures/kafka-test-client.ts";

const PARTITIONS = 100;
const RECORDS_PER_BATCH = 10_000;
const BATCHES = 2;

await describeWithServer("kafka", (server) => {
  it.each(["none", "zstd"] as const)(
    "reads 100 partitions of small records in batches of compression %s with a heap of 256 MB",
    async (compression) => {
      const log = await openLog(server);
      const topic = await makeTopic(log, PARTITIONS);
      const producer = makeProducer(server, { compression });
      const values = Array.from({ length: RECORDS_PER_BATCH }, (_, index) => {
        return Buffer.from(`a record, number ${index % 1_000}`);
      });
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        for (let batch = 0; batch < BATCHES; batch += 1)
          await producer.send({ messages: values.map((value) => ({ topic, partition, value })) });
      }
      // All partitions are fetched before the first of them is read to its end.
      const script = `
        import { createConsumer } from "@tidemark/core";
        import { openKafkaLog } from "@tidemark/source-kafka";
        const source = await openKafkaLog(${JSON.stringify({ brokers: brokersOf(server), ...PATIENT_KAFKA })});
        const consumer = await createConsumer({ source, topic: ${JSON.stringify(topic)}, start: "earliest" });
        const seen = new Set();
        for await (const { partition } of consumer) {
          seen.add(partition);
          if (seen.size === ${PARTITIONS}) break;
        }
        await consumer.close();
        await source.close();
        console.log("all seen");
      `;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--max-old-space-size=256", "--conditions=@tidemark/source", "--input-type=module", "-e", script],
        { cwd: fileURLToPath(new URL("..", import.meta.url)) },
      );
      expect(stdout).toBe("all seen\n");
    },
  );
});
