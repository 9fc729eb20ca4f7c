import type { OffsetKey } from "@tidemark/core";
import {
  connectionFaults,
  type OpenedStore,
  type OpenStoreOptions,
  openTcpProxy,
  type TcpProxy,
} from "@tidemark/core/conformance";
import type { RunningServer } from "@tidemark/test-support/servers";
import { createClient, createCluster, createSentinel } from "redis";
import { openRedisStore, type RedisStoreClient } from "../src/index.ts";
import { RedisKeys } from "../src/keys.ts";

/** How a harness speaks to a server. */
export interface HarnessOptions {
  readonly server: RunningServer;
  readonly kind: "single" | "cluster" | "sentinel";
  readonly RESP?: 2 | 3;
}

/** A client of any kind, and what a harness does with it. */
interface AnyClient {
  readonly client: RedisStoreClient;
  send(key: string, args: string[]): Promise<unknown>;
  destroy(): Promise<void>;
}

/**
 * Spread into the options of a client. redis makes the class of a client, with all of its commands, anew where the JSON of the
 * options is not that of the client before, and ports are in it: without this most of the kit's work is that. With Sentinel the
 * class of the first, which asks a sentinel, serves for the nodes as well.
 */
function sameClass({ kind, RESP = 3 }: HarnessOptions): { RESP: 2 | 3; toJSON: () => string } {
  return { RESP, toJSON: () => `${kind}, RESP ${RESP}` };
}

/** Opens a client of the server, through proxies if there are any. */
async function connect(options: HarnessOptions, proxies?: Proxies): Promise<AnyClient> {
  const { server, kind } = options;
  const map = proxies === undefined ? {} : { nodeAddressMap: proxies.map };
  const quick = { reconnectStrategy: () => 25 };
  if (kind === "cluster") {
    const client = createCluster({
      ...sameClass(options),
      rootNodes: server.urls.map((url) => ({ url })),
      defaults: { socket: quick },
      ...map,
    });
    client.on("error", () => undefined);
    await client.connect();
    return {
      client,
      send: (key, args) => client.sendCommand(key, false, args),
      destroy: async () => client.destroy(),
    };
  }
  if (kind === "sentinel") {
    const client = createSentinel({
      ...sameClass(options),
      name: "mymaster",
      sentinelRootNodes: server.urls.map((url) => addressOf(url)),
      masterPoolSize: 2,
      nodeClientOptions: { ...sameClass(options), socket: quick },
      sentinelClientOptions: { ...sameClass(options), socket: {} },
      ...map,
    });
    client.on("error", () => undefined);
    await client.connect();
    return { client, send: (_, args) => client.sendCommand(false, args), destroy: () => client.destroy() };
  }
  const url = proxies === undefined ? server.url : `redis://127.0.0.1:${proxies.only.port}`;
  const client = createClient({ ...sameClass(options), url, socket: { ...quick } });
  client.on("error", () => undefined);
  await client.connect();
  return { client, send: (_, args) => client.sendCommand(args), destroy: async () => client.destroy() };
}

/** One proxy before each node that the client speaks to. */
interface Proxies {
  readonly map: (address: string) => { host: string; port: number };
  readonly only: TcpProxy;
  readonly all: readonly TcpProxy[];
}

async function proxiesOf(addresses: readonly { host: string; port: number }[]): Promise<Proxies> {
  const all = await Promise.all(addresses.map((address) => openTcpProxy(address)));
  const ports = new Map<string, number>();
  all.forEach((proxy, place) => {
    const { host, port } = addresses[place] ?? { host: "", port: 0 };
    ports.set(`${host}:${port}`, proxy.port);
  });
  const map = (address: string): { host: string; port: number } => ({
    host: "127.0.0.1",
    port: ports.get(address) ?? Number(address.slice(address.lastIndexOf(":") + 1)),
  });
  const [only] = all;
  if (only === undefined) throw new Error("a server has at least one address");
  return { map, only, all };
}

/** Gives the host and port of a URL. */
export function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** Opens one client of the kit on a real server. */
export async function openHarness(opening: OpenStoreOptions, options: HarnessOptions): Promise<OpenedStore<never>> {
  const { namespace } = opening;
  const addresses = await addressesOf(options);
  const direct = await connect(options);
  const proxies = await proxiesOf(addresses);
  const through = await connect(options, proxies);
  const store = await openRedisStore({ ...opening, client: through.client });
  const keys = new RedisKeys("", namespace);
  const close = async (): Promise<void> => {
    await store.close();
    await through.destroy();
    await direct.destroy();
    await Promise.all(proxies.all.map((proxy) => proxy.close()));
  };
  const hash = (key: OffsetKey): string => keys.hashOf(key).redisKey;
  return {
    store,
    close,
    ...connectionFaults(...proxies.all),
    async reopen() {
      await close();
      return openHarness(opening, options);
    },
    async peek(key) {
      return (await direct.send(hash(key), ["HEXISTS", hash(key), String(key.partition)])) === 1;
    },
    async corrupt(key) {
      await direct.send(hash(key), ["HSET", hash(key), String(key.partition), "7;what is this"]);
    },
    async makeUnreadable(key) {
      const [name, field] = [hash(key), String(key.partition)];
      const stored = String(await direct.send(name, ["HGET", name, field]));
      await direct.send(name, ["HSET", name, field, "no version in front"]);
      return async () => void (await direct.send(name, ["HSET", name, field, stored]));
    },
  };
}

/** Of what the client speaks to, once it has found it. */
async function addressesOf({ server, kind }: HarnessOptions): Promise<{ host: string; port: number }[]> {
  if (kind === "cluster") return server.urls.map((url) => addressOf(url));
  if (kind === "single") return [addressOf(server.url)];
  const master = masters.get(server.url) ?? askForMaster(server.url);
  masters.set(server.url, master);
  return [await master];
}

const masters = new Map<string, Promise<{ host: string; port: number }>>();

async function askForMaster(url: string): Promise<{ host: string; port: number }> {
  const sentinel = createClient({ url });
  sentinel.on("error", () => undefined);
  await sentinel.connect();
  const [host, port] = (await sentinel.sendCommand([
    "SENTINEL",
    "GET-MASTER-ADDR-BY-NAME",
    "mymaster",
  ])) as unknown as string[];
  sentinel.destroy();
  return { host: host ?? "", port: Number(port) };
}
