import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openTcpProxy, type TcpProxy } from "@tidemark/test-support/faults";
import type { OwnServer } from "@tidemark/test-support/servers";

/**
 * Opens a proxy before a broker that is alone, and starts the broker again so that it gives clients the proxy's address: they
 * would go past it otherwise, because they connect to where the metadata lead them.
 */
export async function advertiseThroughProxy(server: OwnServer): Promise<TcpProxy> {
  const logFolder = server.nodes[0]?.logFolder;
  if (logFolder === undefined) throw new TypeError("that server is no Kafka broker of a test's own");
  const proxy = await openTcpProxy({ port: Number(new URL(server.url).port), protocol: "kafka" });
  await server.kill();
  const file = join(dirname(logFolder), "server.properties");
  const advertised = `advertised.listeners=PLAINTEXT://${proxy.host}:${proxy.port}`;
  writeFileSync(file, readFileSync(file, "utf8").replace(/^advertised\.listeners=.*$/m, advertised));
  await server.restart();
  return proxy;
}
