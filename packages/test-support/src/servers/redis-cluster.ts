import { freePorts } from "./free-port.ts";
import { ownServer, type StartedNode } from "./own-server.ts";
import { startRedisNode } from "./redis.ts";
import { askRedis, redisVersion } from "./redis-client.ts";
import type { OwnServer } from "./server.ts";
import { until } from "./server-process.ts";
import type { ServerProgram } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

const MASTERS = 3;
const SLOTS = 16_384;

/** Starts a Redis Cluster of three masters. */
export async function launchRedisCluster(program: ServerProgram, scope: ServerScope): Promise<OwnServer> {
  const ports = await freePorts(2 * MASTERS);
  const nodes = await Promise.all(
    Array.from({ length: MASTERS }, (_, index) =>
      startRedisNode(scope, program, {
        role: "master",
        port: ports[index] ?? 0,
        args: [
          ...["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"],
          ...["--cluster-node-timeout", scope.isLent ? "15000" : "2000"],
          ...["--cluster-port", String(ports[MASTERS + index])],
        ],
      }),
    ),
  );
  await formCluster(nodes, ports.slice(0, MASTERS), ports.slice(MASTERS));
  const urls = nodes.map(({ url }) => url);
  const [url = ""] = urls;
  const version = `${await redisVersion(url)}, cluster of ${MASTERS}`;
  return ownServer({ name: "redis-cluster", version, url, urls }, scope, nodes, () => untilClusterWorks(nodes));
}

/** By hand: redis-cli's own way waits in steps of a second. */
async function formCluster(nodes: readonly StartedNode[], ports: number[], busPorts: number[]): Promise<void> {
  await Promise.all(
    nodes.map(async ({ url }, index) => {
      const first = Math.ceil((index * SLOTS) / MASTERS);
      const last = Math.ceil(((index + 1) * SLOTS) / MASTERS) - 1;
      await askRedis(url, "CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
      await askRedis(url, "CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    }),
  );
  // Everybody meets everybody: the news would otherwise take its time to go round.
  await Promise.all(
    nodes.flatMap(({ url }, index) =>
      ports.flatMap((port, other) =>
        other === index ? [] : askRedis(url, "CLUSTER", "MEET", "127.0.0.1", String(port), String(busPorts[other])),
      ),
    ),
  );
  await untilClusterWorks(nodes);
}

async function untilClusterWorks(nodes: readonly StartedNode[]): Promise<void> {
  await Promise.all(
    nodes.map(({ url }) =>
      until(`the cluster state of ${url}`, async () => {
        const info = await askRedis(url, "CLUSTER", "INFO");
        return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${MASTERS}`);
      }),
    ),
  );
}
