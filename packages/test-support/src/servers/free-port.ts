import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152): one of those could take
// a server's port while it is down, and a client that dials such a port can even end up connected to itself.
const FIRST_PORT = 12_000;
const END_PORT = 32_000;
// Workers start servers at the same time, and some take seconds from here to their port: each worker has ports of its own.
const SLICES = 8;
const SLICE_LENGTH = (END_PORT - FIRST_PORT) / SLICES;
const given = new Set<number>();

/**
 * Finds loopback ports that nobody listens on.
 *
 * Somebody may take one before the caller does: whoever starts a server has to try again with other ports.
 */
export async function freePorts(count: number): Promise<number[]> {
  const first = FIRST_PORT + (Number(process.env["VITEST_POOL_ID"] ?? 0) % SLICES) * SLICE_LENGTH;
  const ports: number[] = [];
  while (ports.length < count) {
    if (given.size > SLICE_LENGTH / 2) given.clear();
    const port = randomInt(first, first + SLICE_LENGTH);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
