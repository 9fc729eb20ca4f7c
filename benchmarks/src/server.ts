import { launchServer, type OwnServer, type ServerName } from "@tidemark/test-support/servers";
import type { Comparison } from "./paired.ts";

/** Starts a server of the benchmark's own and stops it afterwards; where there is none, says so in one line and goes on. */
export async function withServer(
  name: ServerName,
  run: (server: OwnServer) => Promise<Comparison[]>,
): Promise<Comparison[]> {
  const server = await launchServer(name);
  if ("missing" in server) {
    process.stderr.write(`not measured: ${server.missing}\n`);
    return [];
  }
  try {
    return await run(server);
  } finally {
    await server.stop();
  }
}
