import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import type { OffsetStore } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { openPostgresStore } from "@tidemark/store-postgres";
import { openRedisStore } from "@tidemark/store-redis";
import { openS3Store } from "@tidemark/store-s3";
import { MongoClient } from "mongodb";
import type { TcpProxy } from "../faults/index.ts";
import type { RunningServer, S3Access } from "../servers/index.ts";
import { askPostgres } from "../servers/postgres.ts";
import { newNamespace } from "./embedded-stores.ts";
import type { OpenBackendOptions, TestedRemoteStore } from "./store-backend.ts";

/** The store on Redis, alone. */
export const redis: TestedRemoteStore = {
  name: "redis",
  server: "redis",
  protocol: "resp",
  async openBackend(server) {
    const { url } = present(server);
    const room = newNamespace();
    const namespaces = new Set<string>();
    const open = ({ through, namespace = "", ...options }: OpenBackendOptions = {}) => {
      namespaces.add(namespace);
      return openRedisStore({
        url: throughProxy(url, through),
        onEvent: () => undefined,
        ...options,
        namespace: `${room}${namespace}`,
      });
    };
    return {
      open,
      address: addressOf(url),
      close: async () => {
        for (const namespace of namespaces) await emptied(await open({ namespace }));
      },
    };
  },
};

/** The store on MongoDB or what speaks its protocol. */
export const mongo: TestedRemoteStore = {
  name: "mongo",
  server: "mongo",
  protocol: "mongo",
  async openBackend(server) {
    const { url } = present(server);
    const database = newNamespace();
    return {
      open: ({ through, ...options } = {}) =>
        openMongoStore({ url: throughProxy(url, through), database, onEvent: () => undefined, ...options }),
      address: addressOf(url),
      close: async () => {
        await using client = new MongoClient(url);
        await client.db(database).dropDatabase();
      },
    };
  },
};

/** The store in a schema of PostgreSQL. */
export const postgres: TestedRemoteStore = {
  name: "postgres",
  server: "postgres",
  protocol: "postgres",
  async openBackend(server) {
    const { url } = present(server);
    const schema = newNamespace();
    await askPostgres(url, `create schema "${schema}"`);
    return {
      open: ({ through, ...options } = {}) =>
        openPostgresStore({ url: throughProxy(url, through), schema, onEvent: () => undefined, ...options }),
      address: addressOf(url),
      close: async () => void (await askPostgres(url, `drop schema "${schema}" cascade`)),
    };
  },
};

/** The store in a bucket. */
export const s3: TestedRemoteStore = {
  name: "s3",
  server: "minio",
  protocol: "http",
  async openBackend(server) {
    const access = present(server).s3;
    if (access === undefined) throw new TypeError("that server is none of S3");
    const bucket = newNamespace();
    // Between its first and its last request a server closes its idle connection.
    const admin = clientOf(access, undefined, 3);
    await admin.send(new CreateBucketCommand({ Bucket: bucket }));
    return {
      open: async ({ through, ...options } = {}) => {
        const client = clientOf(access, through);
        try {
          const store = await openS3Store({ client, bucket, prefix: "offsets", ...options });
          return closingAlso(store, () => client.destroy());
        } catch (error) {
          client.destroy();
          throw error;
        }
      },
      address: addressOf(access.endpoint),
      close: async () => {
        for await (const page of paginateListObjectsV2({ client: admin }, { Bucket: bucket })) {
          const keys = (page.Contents ?? []).map(({ Key: key }) => key);
          await Promise.all(keys.map((key) => admin.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))));
        }
        await admin.send(new DeleteBucketCommand({ Bucket: bucket }));
        admin.destroy();
      },
    };
  },
};

/** A client as a user would make one, that repeats nothing by itself: what is counted is the store's. */
function clientOf(
  { endpoint, region, accessKeyId, secretAccessKey }: S3Access,
  proxy: TcpProxy | undefined,
  maxAttempts = 1,
): S3Client {
  return new S3Client({
    endpoint: throughProxy(endpoint, proxy),
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts,
  });
}

function present(server: RunningServer | undefined): RunningServer {
  if (server === undefined) throw new TypeError("this store needs a server");
  return server;
}

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

function throughProxy(url: string, proxy: TcpProxy | undefined): string {
  if (proxy === undefined) return url;
  const changed = new URL(url);
  changed.host = `${proxy.host}:${proxy.port}`;
  // Otherwise the members of a replica set are looked up, past the proxy.
  if (changed.protocol === "mongodb:") changed.searchParams.set("directConnection", "true");
  return changed.href;
}

/** The store, with something more to do when it is closed. */
function closingAlso<Transaction>(store: OffsetStore<Transaction>, release: () => void): OffsetStore<Transaction> {
  const close = store.close.bind(store);
  const closed = async (): Promise<void> => {
    await close();
    release();
  };
  return Object.assign(store, { close: closed, [Symbol.asyncDispose]: closed });
}

async function emptied(store: OffsetStore<unknown>): Promise<void> {
  const consumers = new Set<string>();
  for await (const { consumer } of store.list()) consumers.add(consumer);
  for (const consumer of consumers) await store.delete({ consumer });
  await store.close();
}
