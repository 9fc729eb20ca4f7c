import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { brokersOf, fetchFrom, makeTopic, openLog, texts, textsOf } from "./fixtures/kafka-test-client.ts";

it("goes on where a broker wants the credentials again and again, and leaves nothing behind when it is closed", async ({
  skip,
}) => {
  const server = await launchOrSkip("kafka-secure", skip);
  onTestFinished(() => server.stop());
  if (server.kafka === undefined) throw new TypeError("the server tells no credentials");
  const { ca, admin } = server.kafka;
  const access = { tls: { ca }, sasl: { mechanism: "SCRAM-SHA-256", ...admin } } as const;

  const log = await openLog(server, access);
  const topic = await makeTopic(log);
  // Longer than two of the broker's terms of three seconds.
  const waiting = fetchFrom(log, topic, { maxWait: 30_000 });
  const endsAt = performance.now() + 7_000;
  let asked = 0;
  while (performance.now() < endsAt) {
    expect(await log.listOffsets(topic, [{ partition: 0, timestamp: -1 }])).toMatchObject([
      { partition: 0, offset: 0n },
    ]);
    expect((await fetchFrom(log, topic, { maxWait: 100 })).records).toEqual([]);
    asked += 1;
  }
  expect(asked).toBeGreaterThan(0);
  await log.producer.produce(topic, 0, texts("a"));
  expect(textsOf((await waiting).records)).toEqual(["a"]);

  const script = `
    import { openKafkaLog } from "@tidemark/source-kafka";
    const log = await openKafkaLog(JSON.parse(process.env.LOG_OPTIONS));
    const waiting = log.fetch({ topic: ${JSON.stringify(topic)}, partition: 0, offset: 1n, maxBytes: 1000, maxWait: 9000 });
    await log.listOffsets(${JSON.stringify(topic)}, [{ partition: 0, timestamp: -1 }]);
    await log.close();
    await waiting.catch(() => undefined);
    console.log("closed");
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@tidemark/source", "--input-type=module", "-e", script],
    {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      env: { ...process.env, LOG_OPTIONS: JSON.stringify({ brokers: brokersOf(server), ...access }) },
      // A timer that is left would keep it alive: nothing but this ends it then.
      timeout: 60_000,
    },
  );
  expect(stdout).toBe("closed\n");
});
