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
    const waiting = log.fetch({ topic, partition: 0, offset: 1n, maxBytes: 1000, maxWait: 9000 });
    await end();
    await log.close();
    await waiting.catch(() => undefined);
  `;
  expect(await run(script, { server, topic, access })).toBe("closed\n");
});

it("leaves nothing behind of a connection that a call has replaced", async ({ skip }) => {
  const server = await launchOrSkip("kafka-secure", skip);
  onTestFinished(() => server.stop());
  if (server.kafka === undefined) throw new TypeError("the server tells no credentials");
  const { ca, admin } = server.kafka;
  const access = { tls: { ca }, sasl: { mechanism: "SCRAM-SHA-256", ...admin } } as const;
  const topic = await makeTopic(await openLog(server, access));

  // While it gives its credentials again, another one is used, by all calls. It must not live on beside the log, nor must others.
  const busy = `
    await end();
    const { promise, resolve } = Promise.withResolvers();
    // The broker's term of three seconds ends, and the answer does not come.
    await new Promise((begun) => (onAsked = () => { begun(); onAsked = undefined; return promise; }));
    // Each asks the broker itself: what is known does not answer them.
    await Promise.all(Array.from({ length: 5 }, () => log.partitions(topic)));
    await log.close();
    resolve();
  `;
  expect(await run(busy, { server, topic, access })).toBe("closed\n");

  // Nor must one that has ended wait for its next term.
  const ended = `
    await end();
    for (const handle of process._getActiveHandles()) if (handle.remotePort !== undefined) handle.destroy();
    await end();
    await log.close();
  `;
  expect(await run(ended, { server, topic, access })).toBe("closed\n");
});

interface Surroundings {
  readonly server: Parameters<typeof brokersOf>[0];
  readonly topic: string;
  readonly access: { readonly tls: object; readonly sasl: object };
}

/** Runs a script in a process of its own, with a log that it closes. What is left then would keep it alive. */
async function run(script: string, { server, topic, access }: Surroundings): Promise<string> {
  const whole = `
    import { openKafkaLog } from "@tidemark/source-kafka";
    const { topic, sasl, ...options } = JSON.parse(process.env.LOG_OPTIONS);
    let onAsked;
    const password = async () => { await onAsked?.(); return sasl.password; };
    const log = await openKafkaLog({ ...options, sasl: { ...sasl, password } });
    const end = () => log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
    ${script}
    console.log("closed");
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@tidemark/source", "--input-type=module", "-e", whole],
    {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      env: { ...process.env, LOG_OPTIONS: JSON.stringify({ brokers: brokersOf(server), topic, ...access }) },
      // Nothing but this ends it then.
      timeout: 60_000,
    },
  );
  return stdout;
}
