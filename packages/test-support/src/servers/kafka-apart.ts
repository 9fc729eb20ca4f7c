import type { KafkaProgram } from "./find-kafka.ts";
import { freePorts } from "./free-port.ts";
import { countBrokers, startBroker } from "./kafka.ts";
import { ownServer } from "./own-server.ts";
import type { OwnServer } from "./server.ts";
import { until } from "./server-process.ts";
import type { ServerScope } from "./server-scope.ts";

const BROKERS = 2;

/**
 * Starts two brokers, and a controller that is none: the third node. While it is paused the brokers answer their clients and
 * hear nothing new, as brokers do that are cut off.
 */
export async function launchKafkaApart(program: KafkaProgram, scope: ServerScope): Promise<OwnServer> {
  const [first = 0, second = 0, controller = 0] = await freePorts(BROKERS + 1);
  const brokers = [first, second];
  // A controller listens for nobody else.
  const ports = [...brokers, controller].map((broker) => ({ broker, controller }));
  const voters = { "controller.quorum.voters": `${BROKERS + 1}@127.0.0.1:${controller}` };
  const ofBroker = (port: number) => ({
    ...voters,
    "process.roles": "broker",
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    "default.replication.factor": BROKERS,
  });
  const ofController = {
    ...voters,
    "process.roles": "controller",
    listeners: `CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `CONTROLLER://127.0.0.1:${controller}`,
  };
  const settings = [...brokers.map(ofBroker), ofController];
  const nodes = await Promise.all(
    settings.map((properties, index) => startBroker(index, ports, program, scope, { properties })),
  );
  const urls = brokers.map((port) => `kafka://127.0.0.1:${port}`);
  await until(`a cluster of ${BROKERS} brokers`, async () =>
    (await Promise.all(urls.map(countBrokers))).every((count) => count === BROKERS),
  );
  const version = `Apache Kafka ${program.version}, two brokers and a controller`;
  return ownServer({ name: "kafka-apart", version, url: urls[0] ?? "", urls }, scope, nodes);
}
