import type { OffsetStore, StoreUrlOpener } from "@tidemark/core";
import type { PluginSources, UrlRegistry } from "./url-registry.ts";
import { findUrlOpener } from "./url-registry.ts";
import { withUsageErrors } from "../failure/with-usage-errors.ts";

const storeRegistry: UrlRegistry<StoreUrlOpener> = {
  what: "store",
  exportName: "storeUrl",
  included: {
    sqlite: async () => (await import("@tidemark/store-sqlite")).storeUrl,
    memory: async () => (await import("@tidemark/store-memory")).storeUrl,
  },
  installable: {
    redis: "@tidemark/store-redis",
    rediss: "@tidemark/store-redis",
    mongodb: "@tidemark/store-mongo",
    "mongodb+srv": "@tidemark/store-mongo",
    s3: "@tidemark/store-s3",
  },
  packagePrefix: "tidemark-store-",
  usage: "sqlite:FILE, memory:, redis://HOST, mongodb://HOST or s3://BUCKET/PREFIX",
};

/** Opens the store that a URL names. */
export async function openStoreByUrl(
  url: string,
  namespace: string | undefined,
  sources: PluginSources,
): Promise<OffsetStore> {
  const opener = await findUrlOpener(storeRegistry, url, sources);
  return await withUsageErrors(() => opener.open(url, namespace === undefined ? {} : { namespace }));
}
