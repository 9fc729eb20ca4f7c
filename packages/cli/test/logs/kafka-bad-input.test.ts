import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, onTestFinished, test } from "vitest";
import { createWorkspace } from "../support/workspace.ts";
import { failureLine } from "../support/failure-line.ts";

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Runs `tidemark consume` on a log: how it ends, and the one line that it says. */
async function consume(log: string, code: 1 | 2, message: RegExp, ...more: string[]): Promise<void> {
  await using workspace = await createWorkspace({ TIDEMARK_STORE: "sqlite:offsets.db" });
  const [topic = "orders", ...options] = more;
  const finished = await workspace.run(["consume", topic, "-c", "c1", "--until-end", "--log", log, ...options]);
  expect(failureLine(finished)).toMatch(message);
  expect(finished).toMatchObject({ code, stdout: "" });
}

test.each([
  ["kafka:", /kafka:\/\/HOST:PORT/],
  ["kafka://", /kafka:\/\/HOST:PORT/],
  ["kafka://host:9092/orders", /without a path; name topics separately/],
  ["kafka://host:port", /HOST:PORT/],
  ["kafka://host:99999", /port of host must be from 1 to 65535/],
  ["kafka://host?tls=yes", /tls .* one of true, false/],
  ["kafka://host?topic=orders", /not "topic"/],
  ["kafka://host?sasl=kerberos&username=me", /sasl .* PLAIN, SCRAM-SHA-256, SCRAM-SHA-512/],
  ["kafka://me@host", /password: set TIDEMARK_KAFKA_PASSWORD/],
])("the URL %s makes no sense: exit code 2", (url, message) => consume(url, 2, message));

test("nobody listens: exit code 1", async () => {
  const address = "127.0.0.1:1";
  await consume(`kafka://me:secret@${address}`, 1, new RegExp(`no connection to ${address} \\(ECONNREFUSED\\); check`));
});

test("a web server listens", async () => {
  const address = await listen(createHttpServer((_, response) => response.end("hello")));
  await consume(`kafka://${address}`, 1, new RegExp(`the server on ${address} does not speak Kafka's protocol`));
  await consume(`kafka://me:secret@${address}?tls=true`, 1, /does not speak TLS/);
});

test("what listens never answers", async () => {
  const address = await listen(createServer((socket) => void socket.on("error", () => undefined)));
  await consume(`kafka://${address}`, 1, /within 5000 ms; check that it is a running Kafka broker/);
});

await describeWithServer("kafka", (server) => {
  test("TLS, or credentials, that the broker does not want", async () => {
    await consume(`${server.url}?tls=true`, 1, /does not speak TLS; check the listener/);
    await consume(server.url.replace("//", "//me:secret@"), 1, /does not use SASL; check the mechanism/);
  });

  test("a topic or a partition that is not there", async () => {
    await using workspace = await createWorkspace({ TIDEMARK_LOG: server.url });
    const topic = `cli-${randomUUID()}`;
    const make = new RegExp(`^there is no topic "${topic}"; create it with: tidemark topic create ${topic}$`);
    await consume(server.url, 1, make, topic);
    await workspace.out(`topic create ${topic} --partitions 2`);
    await consume(server.url, 1, /has no partition 7: it has partitions 0 to 1/, topic, "-p", "7");
    await workspace.out(`topic delete ${topic}`);
  });

  test("a topic that is deleted while it is consumed: what was printed is stored, and the exit code is 1", async () => {
    await using workspace = await createWorkspace({ TIDEMARK_LOG: server.url, TIDEMARK_STORE: "sqlite:offsets.db" });
    const topic = `cli-${randomUUID()}`;
    await workspace.out(`topic create ${topic}`);
    await workspace.out(`produce ${topic}`, "a\nb\n");
    const consumer = workspace.start(["consume", topic, "-c", "c1"]);
    expect(await consumer.lines(2)).toEqual(["a", "b"]);
    // As another client does: the command would remove the positions with it.
    await using other = await createWorkspace({ TIDEMARK_LOG: server.url });
    await other.out(`topic delete ${topic}`);
    const { code, stderr } = await consumer.ended;
    expect(code).toBe(1);
    expect(stderr).toContain(`there is no topic "${topic}"`);
    expect(JSON.parse(await workspace.out("consumer list --partitions -O json"))).toMatchObject([
      { topic, nextOffset: "2" },
    ]);
  });
});
