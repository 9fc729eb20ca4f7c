import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Admin } from "@platformatic/kafka";
import { freePorts } from "./free-port.ts";
import { javaArguments, type KafkaProgram } from "./find-kafka.ts";
import { ownServer, type StartedNode, startNode } from "./own-server.ts";
import type { OwnServer, ServerName } from "./server.ts";
import { ServerStartError, until } from "./server-process.ts";
import type { ServerScope } from "./server-scope.ts";

const CLUSTER_ID = "dGlkZW1hcmstdGVzdHMtMQ";

/** Where a broker listens. */
export interface BrokerPorts {
  readonly broker: number;
  readonly controller: number;
}

/** Starts brokers that are all controllers too, so that any of them may be killed. */
export async function launchKafka(
  name: ServerName,
  brokers: 1 | 3,
  program: KafkaProgram,
  scope: ServerScope,
): Promise<OwnServer> {
  const free = await freePorts(2 * brokers);
  const ports = Array.from({ length: brokers }, (_, index): BrokerPorts => {
    return { broker: free[2 * index] ?? 0, controller: free[2 * index + 1] ?? 0 };
  });
  const urls = ports.map(({ broker }) => `kafka://127.0.0.1:${broker}`);
  const nodes = await Promise.all(ports.map((_, index) => startBroker(index, ports, program, scope)));
  const settle = () =>
    until(`a cluster of ${brokers} brokers`, async () =>
      (await Promise.all(urls.map(countBrokers))).every((n) => n === brokers),
    );
  await settle();
  const kind = brokers === 1 ? " alone" : `, cluster of ${brokers}`;
  const version = `Apache Kafka ${program.version}${kind}`;
  const url = urls[0] ?? "";
  const server = ownServer({ name, version, url, urls }, scope, nodes, settle);
  return Object.assign(server, {
    async restart() {
      await server.kill();
      // All at once: none is ready before most of them are there.
      await Promise.all(nodes.map((node) => node.restart()));
      await settle();
    },
  });
}

/** How many brokers the broker of a URL knows. */
export async function countBrokers(url: string): Promise<number> {
  const admin = new Admin({
    clientId: "tidemark-tests",
    bootstrapBrokers: [new URL(url).host],
    retries: 0,
    connectTimeout: 1_000,
    requestTimeout: 1_000,
  });
  try {
    return (await admin.metadata({ topics: [] })).brokers.size;
  } finally {
    await admin.close();
  }
}

/** What one broker has that the others have not. */
export interface BrokerExtras {
  /** Settings in addition to, or in place of, the usual ones. */
  readonly properties?: Settings;
  /** More arguments of the storage tool. */
  readonly format?: readonly string[];
}

/** Starts one broker of several. */
export async function startBroker(
  index: number,
  ports: readonly BrokerPorts[],
  program: KafkaProgram,
  scope: ServerScope,
  extras: BrokerExtras = {},
): Promise<StartedNode> {
  const { broker: port = 0 } = ports[index] ?? {};
  const name = `broker-${index + 1}`;
  const folder = join(scope.folder, name);
  mkdirSync(folder);
  const inside = join(program.java.inside(scope.folder), name);
  writeFileSync(
    join(folder, "server.properties"),
    propertiesOf(index, ports, {
      "log.dirs": join(inside, "log"),
      "broker.session.timeout.ms": scope.isLent ? 60_000 : 3_000,
      ...extras.properties,
    }),
  );
  const properties = join(inside, "server.properties");
  const java = (...args: string[]) => program.java.command(scope.folder, args);
  const format = java(
    ...javaArguments(program),
    "kafka.tools.StorageTool",
    "format",
    "-t",
    CLUSTER_ID,
    "-c",
    properties,
    ...(extras.format ?? []),
  );
  await promisify(execFile)(format.command, [...format.args]).catch((error: unknown) => {
    throw new ServerStartError("Kafka's storage tool failed", error instanceof Error ? error.message : String(error));
  });
  const node = await startNode("server", `kafka://127.0.0.1:${port}`, async () => {
    const memory = ["-Xms64m", "-Xmx400m"];
    const process = scope.start(name, java(...memory, ...javaArguments(program), "kafka.Kafka", properties));
    await process.untilReady("Kafka", () => listens(port));
    return process;
  });
  return Object.assign(node, { logFolder: join(folder, "log") });
}

/** Whether somebody listens: Kafka does so when it is ready to answer. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

type Settings = Readonly<Record<string, string | number | boolean>>;

function propertiesOf(index: number, ports: readonly BrokerPorts[], settings: Settings): string {
  const { broker = 0, controller = 0 } = ports[index] ?? {};
  const voters = ports.map((other, number) => `${number + 1}@127.0.0.1:${other.controller}`);
  const replicas = ports.length;
  const properties = {
    "process.roles": "broker,controller",
    "node.id": index + 1,
    "controller.quorum.voters": voters.join(","),
    listeners: `PLAINTEXT://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${broker}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "default.replication.factor": replicas,
    "offsets.topic.replication.factor": replicas,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
    // Tests wait for retention, compaction and a dead broker's successor: all of them soon.
    "log.retention.check.interval.ms": 200,
    "log.initial.task.delay.ms": 200,
    "log.segment.delete.delay.ms": 100,
    "log.cleaner.backoff.ms": 200,
    "broker.heartbeat.interval.ms": 500,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "num.recovery.threads.per.data.dir": 1,
    ...settings,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}
