import type { MissingServer } from "./server.ts";

/** Takes a missing server for a failure: throws its line. */
export function requireServer<Server extends object>(
  server: Server | MissingServer,
): asserts server is Exclude<Server, MissingServer> {
  if ("missing" in server) throw new Error(server.missing);
}

/** Whether a missing server is a failure: where the whole is tested, in CI. */
export function serversAreRequired(): boolean {
  const ci = process.env["CI"];
  return ci !== undefined && ci !== "" && ci !== "false" && ci !== "0";
}
