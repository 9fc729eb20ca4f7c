import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { openKafkaLog } from "@tidemark/source-kafka";
import { describeWithServer, launchOrSkip } from "@tidemark/test-support/servers";
import { describe, expect, it, onTestFinished } from "vitest";
import { brokersOf, fetchFrom, makeTopic, openLog, readAll, texts, textsOf } from "./fixtures/kafka-test-client.ts";

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("brokers that are none", () => {
  it("says that nobody listens", async () => {
    const address = "127.0.0.1:1";
    await expect(openKafkaLog({ brokers: [address] })).rejects.toMatchObject({
      name: "LogSourceError",
      code: "UNAVAILABLE",
      retryable: true,
      message: expect.stringContaining(address) as unknown,
    });
  });

  it.each([
    ["answers as a web server does", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"],
    ["greets before it is asked", "220 mail.example.com ESMTP\r\n"],
  ])("says that what %s does not speak Kafka's protocol", async (_, answer) => {
    const address = await listen(createServer((socket) => void socket.on("error", () => undefined).write(answer)));
    await expect(openKafkaLog({ brokers: [address] })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      retryable: false,
      message: expect.stringMatching(/does not speak Kafka's protocol/) as unknown,
    });
  });

  it("gives up on what never answers", async () => {
    const address = await listen(createServer((socket) => void socket.on("error", () => undefined)));
    await expect(openKafkaLog({ brokers: [address], connectTimeout: 200 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("goes on to the next broker", async () => {
    const silent = await listen(createServer((socket) => void socket.on("error", () => undefined)));
    await expect(openKafkaLog({ brokers: ["127.0.0.1:1", silent], connectTimeout: 200 })).rejects.toMatchObject({
      name: "LogSourceError",
    });
  });
});

await describeWithServer("kafka", (server) => {
  it("does not wait for a broker that is silent: another one answers, and the log closes", async () => {
    const silent = await listen(createServer((socket) => void socket.on("error", () => undefined)));
    const patience = { connectTimeout: 900_000, timeout: 900_000 };
    const log = await openKafkaLog({ brokers: [silent, ...brokersOf(server)], ...patience });
    await expect(log.partitions("there is none")).rejects.toMatchObject({ code: "UNKNOWN_TOPIC" });
    await log.close();
  });

  it("ends a long poll when it is aborted, and serves what comes after it at once", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    const began = performance.now();
    for (let round = 0; round < 20; round += 1) {
      const controller = new AbortController();
      const waiting = fetchFrom(log, topic, { maxWait: 100_000, signal: controller.signal });
      // It is on its way, or waits for its connection: both have to end well.
      if (round % 2 === 0) await log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
      controller.abort(new Error(`round ${round}`));
      await expect(waiting).rejects.toThrow(`round ${round}`);
    }
    expect((await fetchFrom(log, topic)).records).toEqual([]);
    expect(performance.now() - began).toBeLessThan(80_000);
  });

  it("tells a topic that Kafka would never have from one that it has", async () => {
    const log = await openLog(server);
    for (const topic of ["not there", "größe", "..", "a/b"]) {
      await expect(log.partitions(topic)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic });
      await expect(fetchFrom(log, topic)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", topic });
      await expect(log.admin.createTopic(topic, { partitions: 1 })).rejects.toMatchObject({
        code: "UNSUPPORTED",
        topic,
      });
    }
  });
});

describe("a broker that goes and comes back", () => {
  it("answers a fetch that waits over a kill and a restart, and misses nothing", async ({ skip }) => {
    const server = await launchOrSkip("kafka", skip);
    onTestFinished(() => server.stop());
    const log = await openLog(server, { timeout: 60_000 });
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts("before"));
    const waiting = fetchFrom(log, topic, { offset: 1n, maxWait: 60_000 });
    const lookingUp = log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
    await server.kill();
    const duringOutage = log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
    await server.restart();
    expect(await duringOutage).toMatchObject([{ partition: 0, offset: 1n }]);
    expect(await lookingUp).toMatchObject([{ partition: 0, offset: 1n }]);
    await log.producer.produce(topic, 0, texts("after"));
    expect(textsOf((await waiting).records)).toEqual(["after"]);
    expect(textsOf(await readAll(log, topic))).toEqual(["before", "after"]);
  });

  it("rejects when its time is up while the broker is down or silent, and works again afterwards", async ({ skip }) => {
    const server = await launchOrSkip("kafka", skip);
    onTestFinished(() => server.stop());
    // What a broker is first asked takes it long, on a busy machine.
    const patient = await openLog(server, { timeout: 30_000 });
    const topic = await makeTopic(patient);
    const log = await openLog(server, { timeout: 3_000, connectTimeout: 3_000 });
    const end = () => log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
    server.pause();
    await expect(end()).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
    await expect(log.producer.produce(topic, 0, texts("a"))).rejects.toMatchObject({
      code: "TIMEOUT",
      retryable: true,
    });
    server.resume();
    await patient.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
    await server.kill();
    await expect(end()).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: true });
    await expect(openKafkaLog({ brokers: brokersOf(server) })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await server.restart();
    expect(await patient.listOffsets(topic, [{ partition: 0, timestamp: -2 }])).toMatchObject([
      { partition: 0, offset: 0n },
    ]);
    expect(await log.partitions(topic)).toEqual([0]);
  });
});
