import { randomBytes } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { openTcpProxy, type TcpProxy, type WireProtocolName, type WireRequest } from "../../faults/index.ts";
import type { OwnServer } from "../../servers/index.ts";
import { startTransactionGateway } from "../../transaction-gateway/index.ts";
import { openPlace } from "../places/open-place.ts";
import type { Place } from "../places/place.ts";
import { makePostgresSink } from "../places/postgres.ts";
import type { FaultKind } from "../round-plan.ts";
import type { Arena } from "./arena.ts";

const PATIENCE_MS = 10_000;

/** The kinds of store that have a server. */
export type ServerKind = "postgres" | "redis" | "mongo" | "s3";

/** A store on a server of the campaign's own. The arena ends the server with itself. */
export async function openServerArena(kind: ServerKind, server: OwnServer): Promise<Arena> {
  const name = `campaign${randomBytes(4).toString("hex")}`;
  // Of FerretDB: what makes transactions of the engine below. Only they go through it.
  const gateway =
    kind === "mongo" && server.engineUrl !== undefined
      ? await startTransactionGateway({ url: server.url, engineUrl: server.engineUrl })
      : undefined;
  const straight = await openProxy(server.url, PROTOCOLS[kind]);
  const throughGateway = gateway === undefined ? undefined : await openProxy(gateway.url, PROTOCOLS[kind]);
  const proxies = throughGateway === undefined ? [straight] : [straight, throughGateway];
  if (kind === "s3") await createBucket(server, name);
  if (kind === "postgres") await makePostgresSink(server.url, name);
  const placeBehind = (transactional: boolean, proxied: boolean): Place => {
    const proxy = transactional ? (throughGateway ?? straight) : straight;
    const url = transactional ? (gateway?.url ?? server.url) : server.url;
    return placeAt(kind, name, proxied ? through(url, proxy) : url, server);
  };
  return {
    version: server.version,
    place: (transactional) => placeBehind(transactional, true),
    open: (transactional) => openPlace(placeBehind(transactional, false), PATIENCE_MS),
    disturb: (fault) => disturb(fault, server, proxies),
    async [Symbol.asyncDispose]() {
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await gateway?.close();
      await server.stop();
    },
  };
}

const PROTOCOLS = {
  postgres: "postgres",
  redis: "resp",
  mongo: "mongo",
  s3: "http",
} as const satisfies Record<ServerKind, WireProtocolName>;
const WRITES = new Set([
  ...["INSERT", "UPDATE", "COMMIT"],
  ...["EVALSHA", "EVAL"],
  ...["update", "insert", "bulkWrite", "commitTransaction"],
  "PUT",
]);

function placeAt(kind: ServerKind, name: string, url: string, server: OwnServer): Place {
  if (kind === "postgres") return { kind, url, schema: name };
  if (kind === "redis") return { kind, url, namespace: name };
  if (kind === "mongo") return { kind, url, database: name };
  if (server.s3 === undefined) throw new TypeError("that server is none of S3");
  return { kind, access: { ...server.s3, endpoint: url }, bucket: name };
}

function openProxy(url: string, protocol: WireProtocolName): Promise<TcpProxy> {
  const { hostname, port } = new URL(url);
  return openTcpProxy({ host: hostname, port: Number(port), protocol });
}

function through(url: string, proxy: TcpProxy): string {
  const changed = new URL(url);
  changed.host = `${proxy.host}:${proxy.port}`;
  // Otherwise the members of a replica set are looked up, past the proxy.
  if (changed.protocol === "mongodb:") changed.searchParams.set("directConnection", "true");
  return changed.href.replace(/\/$/u, changed.protocol === "http:" ? "" : "/");
}

async function disturb(
  fault: FaultKind,
  server: OwnServer,
  proxies: readonly TcpProxy[],
): Promise<() => Promise<void>> {
  const restore = async (): Promise<void> => proxies.forEach((proxy) => proxy.restore());
  switch (fault) {
    case "restart":
      await server.kill();
      return () => server.restart();
    case "pause":
      server.pause();
      return async () => server.resume();
    case "cut":
      for (const proxy of proxies) proxy.cut();
      return restore;
    case "silence":
      for (const proxy of proxies) proxy.silence();
      return restore;
    case "drop":
      for (const proxy of proxies) proxy.dropConnections();
      return restore;
    case "lost-answer": {
      let isOver = false;
      const match = ({ name }: WireRequest): boolean => isOver || WRITES.has(name);
      for (const proxy of proxies) void proxy.cutAfterRequest({ match });
      return async () => {
        isOver = true;
      };
    }
    case "lock":
      throw new TypeError("a server is not locked");
  }
}

async function createBucket({ s3 }: OwnServer, bucket: string): Promise<void> {
  if (s3 === undefined) throw new TypeError("that server is none of S3");
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}
