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
  /** `undefined`: it has closed the connection. */
  readonly bytes: Buffer | undefined;
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
      if (next.bytes === undefined) next.to.destroySoon();
      else if (!next.to.destroyed) next.to.write(next.bytes);
    } else if (leftMs > TIMER_SLACK_MS) await pause(leftMs - TIMER_SLACK_MS);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  isDelivering = false;
}

function answer(to: Socket, bytes: Buffer | undefined): void {
  underWay.push({ to, bytes, dueAt: performance.now() + delayMs });
  if (!isDelivering) void deliver();
}

const listener = createServer((client) => {
  const server = connect({ host, port });
  for (const socket of [client, server]) socket.setNoDelay(true).on("error", () => socket.destroy());
  client.on("data", (bytes) => server.write(bytes));
  client.on("close", () => server.destroy());
  server.on("data", (bytes) => answer(client, bytes));
  // What it has said before comes first.
  server.on("close", () => answer(client, undefined));
});
listener.listen(0, "127.0.0.1", () => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage((listener.address() as AddressInfo).port);
});
