import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** What the thread of a slow network is started with. */
export interface SlowNetworkSettings {
  readonly host: string;
  readonly port: number;
  /** Milliseconds that every answer is held back. */
  readonly delayMs: number;
}

/** A way to a server that takes longer than the loopback. */
export interface SlowNetwork extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
}

/**
 * Opens a proxy before a server that holds every answer back, as a network does. It has a thread of its own: neither side of a
 * comparison does its work.
 */
export async function openSlowNetwork(url: string, delayMs: number): Promise<SlowNetwork> {
  const { hostname, port } = new URL(url);
  const settings: SlowNetworkSettings = { host: hostname, port: Number(port), delayMs };
  const worker = new Worker(new URL("slow-network-thread.ts", import.meta.url), { workerData: settings });
  const [listening] = (await once(worker, "message")) as [number];
  return {
    host: "127.0.0.1",
    port: listening,
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

/** The same URL by way of a network. */
export function byWayOf({ host, port }: SlowNetwork, url: string): string {
  const changed = new URL(url);
  changed.host = `${host}:${port}`;
  return changed.href;
}
