import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152): one of those could take
// a server's port while it is down, and a client that dials such a port can even end up connected to itself.
const FIRST_PORT = 12_000;
const END_PORT = 32_000;

/**
 * Finds loopback ports that nobody listens on.
 *
 * Somebody may take one before the caller does: whoever starts a server has to try again with other ports.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(FIRST_PORT, END_PORT);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
