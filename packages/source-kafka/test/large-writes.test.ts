import { randomBytes } from "node:crypto";
import { LogSourceError, type RecordInput } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { openCountingLog, readParts } from "./fixtures/counted-fetches.ts";
import { makeConfiguredTopic, makeTopic, openLog, readAll, texts, textsOf } from "./fixtures/kafka-test-client.ts";

await describeWithServer("kafka", (server) => {
  it("writes in order what is more than the brokers' limit for one batch, a megabyte", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    // Nearly five megabytes, as the command writes them from a file of 20,000 lines.
    const written = Array.from({ length: 20_000 }, (_, number) => `${number} ${"x".repeat(220)}`);
    expect(await log.producer.produce(topic, 0, texts(...written))).toBe(0n);
    expect(textsOf(await readAll(log, topic))).toEqual(written);
    expect(await log.producer.produce(topic, 0, texts("next"))).toBe(20_000n);
  });

  it("writes as one batch what the topic takes, and otherwise as many as it must be", async () => {
    const log = await openLog(server);
    const counted = await openCountingLog(server);
    const records = (count: number, bytes: number): RecordInput[] =>
      Array.from({ length: count }, () => ({ value: randomBytes(bytes) }));
    const large = await makeConfiguredTopic(log, server, { "max.message.bytes": "8000000" });
    await log.producer.produce(large, 0, records(60, 100_000));
    // A broker answers with a whole batch, however little was asked for.
    expect((await readParts(counted.log, large, 60n, 0n, 1)).flat()).toHaveLength(60);
    expect(counted.fetches()).toBe(1);

    const small = await makeConfiguredTopic(log, server, { "max.message.bytes": "3000" });
    await log.producer.produce(small, 0, records(100, 100));
    expect((await readParts(counted.log, small, 100n, 0n, 1)).flat()).toHaveLength(100);
    expect(counted.fetches() - 1).toBeLessThan(100 / 5);
    // What was learnt of the topic holds for the next call.
    expect(await log.producer.produce(small, 0, records(100, 100))).toBe(100n);
  });

  it("says of a record that alone is too large how many before it were written", async () => {
    const log = await openLog(server);
    const topic = await makeConfiguredTopic(log, server, { "max.message.bytes": "3000" });
    const records = [...texts("a", "b"), { value: randomBytes(5_000) }, ...texts("c")];
    const error = await log.producer.produce(topic, 0, records).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LogSourceError);
    expect(error).toMatchObject({ code: "UNSUPPORTED", retryable: false, topic, partition: 0 });
    expect(String(error)).toMatch(/MESSAGE_TOO_LARGE.*the first 2 of 4 records were written/);
    expect(textsOf(await readAll(log, topic))).toEqual(["a", "b"]);
    const alone = log.producer.produce(topic, 0, [{ value: randomBytes(5_000) }]);
    await expect(alone).rejects.toThrow(/MESSAGE_TOO_LARGE(?!.*were written)/);
  });
});
