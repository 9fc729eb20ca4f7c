import type { MissingServer, OwnServer, RunningServer, ServerName } from "./server.ts";

/** The variable with the address at which the test run's main process lends servers. */
export const LENDER_VARIABLE = "TIDEMARK_TEST_SERVER_LENDER";

const lent = new Map<ServerName, Promise<RunningServer | MissingServer>>();

/**
 * Gives a server that all test files of a run share: started when it is first asked for, stopped at the end of the run.
 * Work in a namespace of your own, and do not harm it: `launchServer` is for that. Outside of a run of vitest it is
 * the process's own, and ends with it.
 *
 * @throws Error if it is installed, but does not start.
 */
export function sharedServer(name: ServerName): Promise<RunningServer | MissingServer> {
  const known = lent.get(name);
  if (known !== undefined) return known;
  const lender = process.env[LENDER_VARIABLE];
  const server = lender === undefined ? launchForThisProcess(name) : borrow(lender, name);
  lent.set(name, server);
  return server;
}

async function borrow(lender: string, name: ServerName): Promise<RunningServer | MissingServer> {
  const response = await fetch(`${lender}/${name}`, { headers: { connection: "close" } });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as RunningServer | MissingServer;
}

async function launchForThisProcess(name: ServerName): Promise<RunningServer | OwnServer | MissingServer> {
  const { findOrLaunchServer } = await import("./launch-server.ts");
  return findOrLaunchServer(name);
}
