import { join } from "node:path";
import { mkdirSync } from "node:fs";
import { freePorts } from "./free-port.ts";
import { ownServer, type StartedNode, startNode } from "./own-server.ts";
import { askRedis, redisVersion } from "./redis-client.ts";
import type { OwnServer, ServerName, ServerNode } from "./server.ts";
import type { ServerProgram } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

/** Starts one Redis or Valkey. */
export async function launchRedis(name: ServerName, program: ServerProgram, scope: ServerScope): Promise<OwnServer> {
  const [port = 0] = await freePorts(1);
  const node = await startRedisNode(scope, program, { role: "server", port });
  const { url } = node;
  return ownServer({ name, version: `${await redisVersion(url)} alone`, url, urls: [url] }, scope, [node]);
}

/** Starts a Redis process that keeps its data over a kill, and waits until it answers. */
export function startRedisNode(
  scope: ServerScope,
  program: ServerProgram,
  options: { readonly role: ServerNode["role"]; readonly port: number; readonly args?: readonly string[] },
): Promise<StartedNode> {
  const { role, port, args = [] } = options;
  const name = `${role}-${port}`;
  mkdirSync(join(scope.folder, name), { recursive: true });
  const url = `redis://127.0.0.1:${port}`;
  return startNode(role, url, async () => {
    const process = scope.start(
      name,
      program.command(scope.folder, [
        ...["--port", String(port), "--bind", "127.0.0.1", "--dir", join(program.inside(scope.folder), name)],
        // A command's effect is in the file before its answer is sent: it survives a kill of the process. (Syncing every
        // second would hold writes back while the disk is busy.)
        ...["--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0", "--save", ""],
        // A replica is served at once.
        ...["--repl-diskless-sync-delay", "0", ...args],
      ]),
    );
    await process.untilReady("Redis", async () => (await askRedis(url, "PING")) === "PONG");
    return process;
  });
}
