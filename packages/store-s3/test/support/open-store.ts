import { onTestFinished } from "vitest";
import type { ClaimOutcome, OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import type { S3Access } from "@tidemark/test-support/servers";
import { openS3Store, type S3StoreOptions } from "../../src/index.ts";
import { makeBucket, s3Client, temporaryClient } from "./s3-servers.ts";
import { openS3Proxy, type S3Proxy } from "./s3-proxy.ts";

/** A key like any other. */
export const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };

/** Where a test works: a bucket of its own, and a proxy before the server. */
export interface Place {
  readonly bucket: string;
  readonly proxy: S3Proxy;
  /** The server through the proxy. */
  readonly access: S3Access;
  /** The server past the proxy. */
  readonly direct: S3Access;
  /** Opens a store through the proxy, with a client of its own. */
  open(options?: Partial<S3StoreOptions>): Promise<OffsetStore>;
  /** Opens a store past the proxy. */
  openDirect(options?: Partial<S3StoreOptions>): Promise<OffsetStore>;
}

/** Makes a place for the running test. */
export async function placeOn(direct: S3Access | undefined): Promise<Place> {
  if (direct === undefined) throw new Error("the server does not say how to reach it");
  const proxy = await openS3Proxy(direct.endpoint);
  const access = { ...direct, endpoint: proxy.url };
  const bucket = await makeBucket(temporaryClient(direct));
  const openAt = async (at: S3Access, options: Partial<S3StoreOptions> = {}): Promise<OffsetStore> => {
    const client = options.client ?? s3Client(at);
    const store = await openS3Store({ bucket, ...options, client });
    onTestFinished(async () => {
      await store.close();
      client.destroy();
    });
    return store;
  };
  return {
    bucket,
    proxy,
    access,
    direct,
    open: (options) => openAt(access, options),
    openDirect: (options) => openAt(direct, options),
  };
}

/** Claims a key and gives the token. */
export async function claim(store: OffsetStore, claimed: OffsetKey = key, ttl?: number | null): Promise<string> {
  const token = crypto.randomUUID();
  const [outcome] = (await store.claim([{ key: claimed, token, owner: "test", ttl }])) as [ClaimOutcome];
  if (outcome.status === "failed") throw outcome.error;
  return token;
}

/** What is stored under a key; `undefined` if nothing is. */
export async function fetched(store: OffsetStore, wanted: OffsetKey = key): Promise<OffsetRecord | undefined> {
  const [outcome] = await store.fetch([wanted]);
  if (outcome === undefined || outcome.status === "failed") throw outcome?.error ?? new Error("no answer");
  return outcome.status === "found" ? outcome.record : undefined;
}
