import { requireServer, serversAreRequired } from "./require-server.ts";
import type { RunningServer, ServerName } from "./server.ts";
import { sharedServer } from "./shared-server.ts";

/**
 * Declares tests that need a shared server: `await describeWithServer("redis", (server) => { it(...) })`, at the top of a test
 * file of vitest. Where the server is missing they are skipped, and the run says so in one line; in CI that is a failure.
 */
export async function describeWithServer(name: ServerName, define: (server: RunningServer) => void): Promise<void> {
  // Only a file that vitest runs can import it; this module may be loaded elsewhere.
  const { describe, it } = await import("vitest");
  const server = await sharedServer(name);
  if (!("missing" in server)) {
    describe(server.version, () => define(server));
  } else if (serversAreRequired()) {
    it(`needs ${name}`, () => requireServer(server));
  } else {
    describe.skip(server.missing, () => it(`needs ${name}`, () => undefined));
  }
}
