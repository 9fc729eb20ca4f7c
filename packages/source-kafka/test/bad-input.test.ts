import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { createConsumer, LogSourceError } from "@tidemark/core";
import { type KafkaLogOptions, openKafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { describe, expect, it, onTestFinished } from "vitest";
import { brokersOf, fetchFrom, makeTopic, openLog, texts, topicName } from "./fixtures/kafka-test-client.ts";

const plain = { mechanism: "PLAIN", username: "me", password: "a secret" } as const;

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What opening a log rejects with: one line, with the address, and no secret. */
async function refusalOf(address: string, options: Partial<KafkaLogOptions> = {}): Promise<LogSourceError> {
  const error: unknown = await openKafkaLog({ brokers: [address], connectTimeout: 10_000, ...options }).catch(
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(LogSourceError);
  const { message } = error as LogSourceError;
  expect(message).toContain(address);
  expect(message).not.toMatch(/\n|secret/);
  return error as LogSourceError;
}

const silent = () => createServer((socket) => void socket.on("error", () => undefined));
const withSasl = { sasl: plain };
const withTls = { tls: true };
/** Enough for what never answers. */
const soon = { connectTimeout: 300 };

describe("what is no broker", () => {
  it.each([
    ["a web server", {}, { code: "UNAVAILABLE", retryable: false }, /does not speak Kafka's protocol/],
    ["a web server", withTls, { code: "UNAVAILABLE", retryable: false }, /does not speak TLS/],
    ["a web server", withSasl, { code: "UNAVAILABLE", retryable: false }, /does not speak Kafka's protocol/],
    ["a silent socket", soon, { code: "TIMEOUT", retryable: true }, /within 300 ms/],
    [
      "a silent socket",
      { ...soon, ...withTls },
      { code: "TIMEOUT", retryable: true },
      /no connection with TLS .* within 300 ms/,
    ],
    [
      "a silent socket",
      { ...soon, ...withSasl },
      { code: "TIMEOUT", retryable: true },
      /with credentials .* within 300 ms/,
    ],
    ["what closes at once", {}, { code: "UNAVAILABLE", retryable: true }, /closed at once.*Kafka broker.*TLS/],
    ["what closes at once", withSasl, { code: "UNAVAILABLE", retryable: true }, /closed at once/],
  ])("%s, spoken to with %j", async (what, options, expected, message) => {
    const servers: Record<string, () => Server> = {
      "a web server": () => createHttpServer((_, response) => response.end("hello")),
      "a silent socket": silent,
      "what closes at once": () => createServer((socket: Socket) => void socket.destroy()),
    };
    const address = await listen(servers[what]?.() ?? silent());
    expect(await refusalOf(address, options)).toMatchObject({
      ...expected,
      message: expect.stringMatching(message) as unknown,
    });
  });

  // The answer to ApiVersions in its version 3.
  it.each([
    [
      "of Kafka 0.10",
      [0, 0, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0],
      /supports Metadata in the versions 0 to 2, .* 1\.0/,
    ],
    ["that is a controller", [0, 0, 2, 0, 62, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], /does not support Metadata: .* 1\.0/],
    ["from the future", [0, 0, 2, 0, 3, 0, 90, 0, 99, 0, 0, 0, 0, 0, 0], /90 to 99.*update @tidemark/],
  ])("a broker %s is told what it would have to be", async (_, body, message) => {
    const address = await listen(
      createServer((socket) => {
        socket.once("data", (request) => {
          const answer = Buffer.from([0, 0, 0, 4 + body.length, ...request.subarray(8, 12), ...body]);
          socket.on("error", () => undefined).write(answer);
        });
      }),
    );
    expect(await refusalOf(address)).toMatchObject({
      code: "UNSUPPORTED",
      retryable: false,
      message: expect.stringMatching(message) as unknown,
    });
  });

  it("is asked for by its name where TLS is spoken: brokers behind one address are told apart by it", async () => {
    const names: (string | false | null)[] = [];
    const server = createTlsServer({
      SNICallback(name, done) {
        names.push(name);
        done(new Error("nobody of that name"));
      },
    });
    const address = await listen(server);
    const port = address.split(":")[1] ?? "";
    await refusalOf(`localhost:${port}`, { tls: true });
    await refusalOf(`localhost:${port}`, { tls: { servername: "another.example.com" } });
    await refusalOf(address, { tls: true });
    expect(names).toEqual(["localhost", "another.example.com"]);
  });
});

await describeWithServer("redis", (server) => {
  it("a Redis, which waits for the end of what it takes for a command", async () => {
    expect(await refusalOf(new URL(server.url).host, soon)).toMatchObject({ code: "TIMEOUT", retryable: true });
  });
});

await describeWithServer("kafka", (server) => {
  const [address = ""] = brokersOf(server);

  it("TLS or credentials where the listener takes neither", async () => {
    expect(await refusalOf(address, withTls)).toMatchObject({
      code: "UNAVAILABLE",
      retryable: false,
      message: expect.stringMatching(/does not speak TLS/) as unknown,
    });
    expect(await refusalOf(address, withSasl)).toMatchObject({
      code: "PERMISSION_DENIED",
      retryable: false,
      message: expect.stringMatching(/does not use SASL/) as unknown,
    });
  });

  it("topics and partitions that are not there, whatever is asked of them", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log, 2);
    const missing = topicName();
    const asked = (name: string, partition: number): (() => Promise<unknown>)[] => [
      () => fetchFrom(log, name, { partition }),
      () => log.listOffsets(name, [{ partition, timestamp: -1 }]),
      () => log.producer.produce(name, partition, texts("a")),
      () => log.producer.produce(name, partition, []),
      () => log.deleteRecords(name, partition, 1n),
      () => createConsumer({ source: log, topic: name, partitions: [partition] }),
    ];
    for (const call of asked(topic, 7)) {
      await expect(call()).rejects.toMatchObject({
        code: "UNKNOWN_PARTITION",
        ...{ topic, partition: 7, retryable: false },
        message: expect.stringContaining(
          `topic "${topic}" has no partition 7: it has partitions 0 to 1; see `,
        ) as unknown,
      });
    }
    for (const call of asked(missing, 0)) {
      await expect(call()).rejects.toMatchObject({
        code: "UNKNOWN_TOPIC",
        ...{ topic: missing, retryable: false },
        message: expect.stringContaining(
          `there is no topic "${missing}"; create it with: tidemark topic create ${missing}; see `,
        ) as unknown,
      });
    }
    await expect(log.admin.createTopic(topic, { partitions: 1 })).rejects.toMatchObject({
      code: "TOPIC_EXISTS",
      ...{ topic, retryable: false },
      message: expect.stringContaining(
        `topic "${topic}" already exists; alter it, or delete it first; see `,
      ) as unknown,
    });
  });

  it("a record larger than maxBytes is delivered by a consumer, and those after it", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, [{ value: Buffer.alloc(300_000, 1) }]);
    await log.producer.produce(topic, 0, [{ value: Buffer.alloc(200_000, 2) }, { value: Buffer.alloc(10, 3) }]);
    const consumer = await createConsumer({ source: log, topic, maxBytes: 1, untilEnd: true });
    const lengths: (number | undefined)[] = [];
    for await (const { value } of consumer) lengths.push(value?.length);
    expect(lengths).toEqual([300_000, 200_000, 10]);
    await consumer.close();
  });
});
