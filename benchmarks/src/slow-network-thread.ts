import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { SlowNetworkSettings } from "./slow-network.ts";

/** Timers come up to so much late, in milliseconds: the rest is waited for without one. */
const TIMER_SLACK_MS = 2;

const { host, port, delayMs } = workerData as SlowNetworkSettings;

/** What a server has said, and when that is to arrive. */
interface Answer {
  readonly to: Socket;
  readonly bytes: Buffer;
  readonly dueAt: number;
}

const underWay: Answer[] = [];
let isDelivering = false;

/** In the order of their arrival, which is that of the sending: all take as long. */
async function deliver(): Promise<void> {
  isDelivering = true;
  for (let next = underWay[0]; next !== undefined; next = underWay[0]) {
    const leftMs = next.dueAt - performance.now();
    if (leftMs <= 0) {
      underWay.shift();
      if (!next.to.destroyed) next.to.write(next.bytes);
    } else if (leftMs > TIMER_SLACK_MS) await pause(leftMs - TIMER_SLACK_MS);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  isDelivering = false;
}

const listener = createServer((client) => {
  const server = connect({ host, port });
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.setNoDelay(true);
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
  client.on("data", (bytes) => server.write(bytes));
  server.on("data", (bytes) => {
    underWay.push({ to: client, bytes, dueAt: performance.now() + delayMs });
    if (!isDelivering) void deliver();
  });
});
// A port of a thread has no origin.
// oxlint-disable-next-line require-post-message-target-origin
listener.listen(0, "127.0.0.1", () => parentPort?.postMessage((listener.address() as AddressInfo).port));
