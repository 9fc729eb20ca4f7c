import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "./free-port.ts";
import { ownServer, type StartedNode, startNode } from "./own-server.ts";
import { startRedisNode } from "./redis.ts";
import { askRedis, redisVersion } from "./redis-client.ts";
import type { OwnServer } from "./server.ts";
import { until } from "./server-process.ts";
import type { ServerProgram } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

const SENTINELS = 3;

/** Starts a master, a replica and three Sentinels that call the set `mymaster`. */
export async function launchRedisSentinel(program: ServerProgram, scope: ServerScope): Promise<OwnServer> {
  const [masterPort = 0, replicaPort = 0, ...sentinelPorts] = await freePorts(2 + SENTINELS);
  const master = await startRedisNode(scope, program, { role: "master", port: masterPort });
  const replica = await startRedisNode(scope, program, {
    role: "replica",
    port: replicaPort,
    args: ["--replicaof", "127.0.0.1", String(masterPort)],
  });
  await until("the replica's link", async () =>
    (await askRedis(replica.url, "INFO", "replication")).includes("master_link_status:up"),
  );
  const sentinels = await Promise.all(sentinelPorts.map((port) => startSentinel(scope, program, port, masterPort)));
  await untilSentinelsKnow(sentinels);
  const urls = sentinels.map(({ url }) => url);
  return ownServer(
    {
      name: "redis-sentinel",
      version: `${await redisVersion(master.url)}, Sentinel with one replica`,
      url: urls[0] ?? "",
      urls,
    },
    scope,
    [master, replica, ...sentinels],
    () => untilSentinelsKnow(sentinels),
  );
}

function startSentinel(
  scope: ServerScope,
  program: ServerProgram,
  port: number,
  masterPort: number,
): Promise<StartedNode> {
  const name = `sentinel-${port}`;
  const inside = join(program.inside(scope.folder), name);
  mkdirSync(join(scope.folder, name));
  // A Sentinel rewrites its file with what it learns: written once, read again at each restart.
  writeFileSync(
    join(scope.folder, name, "sentinel.conf"),
    [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${inside}`,
      `sentinel monitor mymaster 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds mymaster ${scope.isLent ? 30_000 : 1_000}`,
      "sentinel failover-timeout mymaster 3000",
      "",
    ].join("\n"),
  );
  const url = `redis://127.0.0.1:${port}`;
  return startNode("sentinel", url, async () => {
    const process = scope.start(name, program.command(scope.folder, [join(inside, "sentinel.conf"), "--sentinel"]));
    await process.untilReady("a Sentinel", async () => (await askRedis(url, "PING")) === "PONG");
    return process;
  });
}

/** Waits until each Sentinel could lead a failover: it knows the others and a replica. */
async function untilSentinelsKnow(sentinels: readonly StartedNode[]): Promise<void> {
  await Promise.all(
    sentinels.map(({ url }) =>
      until(`the quorum of ${url}`, async () => {
        const info = await askRedis(url, "INFO", "sentinel");
        return info.includes("status=ok") && info.includes(`slaves=1,sentinels=${SENTINELS}`);
      }),
    ),
  );
}
