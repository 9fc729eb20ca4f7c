import type { OwnServer, RunningServer, ServerNode } from "./server.ts";
import type { ServerProcess } from "./server-process.ts";
import type { ServerScope } from "./server-scope.ts";

/** A node whose process was started for it. */
export interface StartedNode extends ServerNode {
  /** Waits until it is gone, without ending it. */
  readonly process: ServerProcess;
}

/** Starts a node. `start` is called again for every restart: it starts the process and waits until it answers. */
export async function startNode(
  role: ServerNode["role"],
  url: string,
  start: () => Promise<ServerProcess>,
): Promise<StartedNode> {
  let process = await start();
  return {
    role,
    url,
    get process() {
      return process;
    },
    get pid() {
      return process.pid;
    },
    kill: () => process.kill(),
    async restart() {
      await process.kill();
      process = await start();
    },
    pause: () => process.signalAll("SIGSTOP"),
    resume: () => process.signalAll("SIGCONT"),
  };
}

/** Puts nodes together. `settle` waits, after a restart, until they work as one. */
export function ownServer(
  running: RunningServer,
  scope: ServerScope,
  nodes: readonly StartedNode[],
  settle: () => Promise<void> = async () => undefined,
): OwnServer {
  return {
    ...running,
    nodes,
    get pids() {
      return nodes.flatMap(({ pid }) => pid ?? []);
    },
    async kill() {
      await Promise.all(nodes.map((node) => node.kill()));
    },
    async restart() {
      await this.kill();
      // One after the other: a gateway needs its engine.
      for (const node of nodes) await node.restart();
      await settle();
    },
    pause: () => nodes.forEach((node) => node.pause()),
    resume: () => nodes.forEach((node) => node.resume()),
    stop: () => scope.end(),
  };
}
