import { launchServer } from "./launch-server.ts";
import { requireServer, serversAreRequired } from "./require-server.ts";
import type { MissingServer, OwnServer, RunningServer, ServerName } from "./server.ts";
import { sharedServer } from "./shared-server.ts";

/** The `skip` of a test's context: `it("...", async ({ skip }) => { ... })`. */
type Skip = (note: string) => never;

/**
 * Starts a server of a test's own. Where the server is missing the test is skipped, and the run says so in one line; in CI
 * that is a failure.
 */
export async function launchOrSkip(name: ServerName, skip: Skip): Promise<OwnServer> {
  const server = await launchServer(name);
  // Whoever lends the shared ones says at the end of the run which of them were missing.
  if ("missing" in server) await sharedServer(name);
  return foundOrSkip(server, skip);
}

/** The same with a server that all tests share. */
export async function sharedOrSkip(name: ServerName, skip: Skip): Promise<RunningServer> {
  return foundOrSkip(await sharedServer(name), skip);
}

function foundOrSkip<Server extends object>(server: Server | MissingServer, skip: Skip): Server {
  if ("missing" in server && !serversAreRequired()) return skip(server.missing);
  requireServer(server);
  return server;
}
