import type { KafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { makeTopic, numbered, openLog, recreateTopic } from "./kafka-topics.ts";
import { openConsumer, take } from "./observed-consumer.ts";
import { watchedStore } from "./watched-store.ts";

// A position without a mark is a number. Of another log's only those are noticed that this one does not have.
await describeWithServer("kafka", (server) => {
  let log: KafkaLog;
  beforeAll(async () => {
    log = await openLog(server);
  });
  afterAll(() => log.close());

  it.each([
    ["below the log", 3n, [5n], { reason: "below-log", from: 3n, to: 5n, skipped: 2n, earliest: 5n, latest: 10n }],
    ["at its beginning", 5n, [5n], undefined],
    ["within it", 7n, [7n], undefined],
    ["at its end", 10n, [], undefined],
    ["beyond its end", 11n, [5n], { reason: "beyond-log", from: 11n, to: 5n, skipped: 0n, earliest: 5n, latest: 10n }],
  ] as const)("a position that was taken elsewhere and lies %s", async (_where, stored, first, reset) => {
    const topic = await makeTopic(server, log);
    await log.producer.produce(topic, 0, numbered(10));
    await log.deleteRecords(topic, 0, 5n);
    const watched = watchedStore();
    await watched.put(topic, stored);
    const { consumer, resets } = await openConsumer({ source: log, topic, untilEnd: true }, watched);
    expect(await take(consumer, 1)).toEqual(first);
    // The event says all that is known: where it was, where the log begins and ends, and where it goes on.
    expect(resets()).toMatchObject(reset === undefined ? [] : [{ topic, partition: 0, policy: "earliest", ...reset }]);
  });

  it("after a restart a topic that was recreated and has grown past the position is noticed, and read from its beginning", async () => {
    const topic = await makeTopic(server, log);
    await log.producer.produce(topic, 0, numbered(10));
    const watched = watchedStore();
    const first = await openConsumer({ source: log, topic, start: "earliest", untilEnd: true }, watched);
    await take(first.consumer, 100);
    await first.consumer.close();
    await recreateTopic(server, topic);
    await log.producer.produce(topic, 0, numbered(12));
    // A new process knows of the former topic only what is stored with the position.
    const restarted = await openLog(server);
    onTestFinished(() => restarted.close());
    const { consumer, resets } = await openConsumer({ source: restarted, topic, untilEnd: true }, watched);
    expect(await take(consumer, 100)).toEqual(Array.from({ length: 12 }, (_, offset) => BigInt(offset)));
    expect(resets()).toMatchObject([{ reason: "other-log", from: 10n, to: 0n, earliest: 0n, latest: 12n }]);
  });
});
