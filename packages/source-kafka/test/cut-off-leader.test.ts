import { kafkaLeadersOf, launchOrSkip, placeKafkaTopic, untilKafkaIsInSync } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { brokersOf, fetchFrom, openLog, texts, textsOf, topicName } from "./fixtures/kafka-test-client.ts";

it("leaves a leader that is cut off from the controllers, and goes on answering, for the one that they chose", async ({
  skip,
}) => {
  const server = await launchOrSkip("kafka-apart", skip);
  onTestFinished(() => server.stop());
  const [former, next, controller] = server.nodes;
  const topic = topicName();
  await placeKafkaTopic(server.urls, topic, [[1, 2]]);
  const reader = await openLog(server);
  await reader.producer.produce(topic, 0, texts("before"));
  await untilKafkaIsInSync(server.urls, topic);
  const read = await fetchFrom(reader, topic, { maxWait: 10_000 });
  expect(textsOf(read.records)).toEqual(["before"]);

  // What a broker that stood still does not hear, it does not hear either when the controller does not speak any more.
  former?.pause();
  await vi.waitUntil(async () => (await kafkaLeadersOf(next?.url ?? "", topic))[0] === 2, { timeout: 60_000 });
  const writer = await openLog(server, { brokers: brokersOf(server).slice(1) });
  await writer.producer.produce(topic, 0, texts("after"));
  controller?.pause();
  former?.resume();
  expect(await kafkaLeadersOf(former?.url ?? "", topic)).toEqual([1]);
  // It goes on answering that there is nothing, and would do so for as long as it is asked.
  const { records } = await fetchFrom(reader, topic, { offset: 1n, mark: read.mark, maxWait: 60_000 });
  expect(textsOf(records)).toEqual(["after"]);
  expect(await kafkaLeadersOf(former?.url ?? "", topic)).toEqual([1]);
});
