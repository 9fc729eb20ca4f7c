import { launchServer } from "./launch-server.ts";
import { requireServer, serversAreRequired } from "./require-server.ts";
import type { OwnServer, ServerName } from "./server.ts";
import { sharedServer } from "./shared-server.ts";

/**
 * Starts a server of a test's own, with the `skip` of that test's context: `it("...", async ({ skip }) => { ... })`. Where
 * the server is missing the test is skipped, and the run says so in one line; in CI that is a failure.
 */
export async function launchOrSkip(name: ServerName, skip: (note: string) => never): Promise<OwnServer> {
  const server = await launchServer(name);
  if (!("missing" in server)) return server;
  if (serversAreRequired()) requireServer(server);
  // Whoever lends the shared ones says at the end of the run which of them were missing.
  await sharedServer(name);
  return skip(server.missing);
}
