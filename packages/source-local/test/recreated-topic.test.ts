import { type ConsumerEvent, createConsumer } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, it } from "vitest";
import { temporaryLog, texts } from "./fixtures/log-folder.ts";

const topic = "orders";

it("a consumer that was down while its topic was recreated begins there, though its offset is in range (contract 7.11)", async () => {
  const { log, file } = await temporaryLog();
  const store = createMemoryStore();
  await log.admin.createTopic(topic, { partitions: 1 });
  await log.producer.produce(topic, 0, texts("a", "b", "c"));
  const consume = async (source: typeof log) => {
    const resets: ConsumerEvent[] = [];
    const onEvent = (event: ConsumerEvent): void => void (event.type === "reset" && resets.push(event));
    const common = { source, store, consumer: "billing", topic, untilEnd: true, onEvent };
    const consumer = await createConsumer(common);
    const values: string[] = [];
    for await (const { value } of consumer) values.push(Buffer.from(value ?? []).toString());
    await consumer.close();
    return { values, resets };
  };
  expect(await consume(log)).toEqual({ values: ["a", "b", "c"], resets: [] });
  await log.admin.deleteTopic(topic);
  await log.admin.createTopic(topic, { partitions: 1 });
  await log.producer.produce(topic, 0, texts("1", "2", "3", "4", "5"));
  await log.close();

  const { log: again } = await temporaryLog({ file });
  const { values, resets } = await consume(again);
  expect(values).toEqual(["1", "2", "3", "4", "5"]);
  expect(resets).toMatchObject([{ topic, partition: 0, reason: "other-log", from: 3n, to: 0n }]);
});
