import type { OffsetStore, StoreUrlOpener, StoreUrlOptions } from "@tidemark/core";
import { CommandFailure } from "../failure/command-failure.ts";
import { withUsageErrors } from "../failure/with-usage-errors.ts";
import { missingPackage } from "./import-from-folder.ts";
import { schemeOf } from "./scheme.ts";
import type { InstallablePackage, PluginSources, UrlRegistry } from "./url-registry.ts";
import { findUrlOpener, lacksText } from "./url-registry.ts";

const redis: InstallablePackage = { name: "@tidemark/store-redis", peers: ["redis"] };
const postgres: InstallablePackage = { name: "@tidemark/store-postgres", peers: ["pg"] };
const mongo: InstallablePackage = { name: "@tidemark/store-mongo", peers: ["mongodb"] };
const s3: InstallablePackage = { name: "@tidemark/store-s3", peers: ["@aws-sdk/client-s3"] };

/** Which stores the command line knows by their URLs. */
export const storeRegistry: UrlRegistry<StoreUrlOpener> = {
  what: "store",
  exportName: "storeUrl",
  included: {
    sqlite: async () => (await import("@tidemark/store-sqlite")).storeUrl,
    memory: async () => (await import("@tidemark/store-memory")).storeUrl,
  },
  installable: { postgres, postgresql: postgres, redis, rediss: redis, mongodb: mongo, "mongodb+srv": mongo, s3 },
  packagePrefix: "tidemark-store-",
  usage: "sqlite:FILE, memory:, postgres://HOST, redis://HOST, mongodb://HOST or s3://BUCKET/PREFIX",
};

/** What a store is opened with. */
export interface OpenStoreOptions extends StoreUrlOptions {
  /** What is done where there is no store yet: `make` it, `fail`, or give one that is `empty` and keeps nothing. */
  readonly ifMissing: "make" | "fail" | "empty";
  /** What the failure's message says in addition. */
  readonly advice?: string | undefined;
}

/** Opens the store that a URL names. */
export async function openStoreByUrl(
  url: string,
  { ifMissing, advice, ...options }: OpenStoreOptions,
  sources: PluginSources,
): Promise<OffsetStore> {
  const opener = await findUrlOpener(storeRegistry, url, sources);
  try {
    if (ifMissing !== "make" && (await withUsageErrors(async () => opener.exists?.(url))) === false) {
      if (ifMissing === "empty") return await openStoreByUrl("memory:", { ...options, ifMissing: "make" }, sources);
      const then = advice === undefined ? "" : `; ${advice}`;
      throw new CommandFailure(`there is no store at ${url}; check the name and the working directory${then}`);
    }
    return await withUsageErrors(() => opener.open(url, options));
  } catch (error) {
    // A store may load its client only now.
    const missing = missingPackage(error);
    if (missing === undefined) throw error;
    const name = storeRegistry.installable[schemeOf(url, storeRegistry.what, storeRegistry.usage)]?.name;
    throw new CommandFailure(lacksText(name ?? opener.usage, missing), { cause: error });
  }
}
