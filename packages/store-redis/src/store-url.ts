import type { StoreUrlOpener } from "@tidemark/core";
import { URL_USAGE } from "./connection-url.ts";
import { openRedisStore } from "./open-redis-store.ts";

/**
 * Opens `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or with TLS `rediss://`; `?cluster=true` of a Cluster's node,
 * `?sentinel=NAME` of a Sentinel, with `&nodes=HOST:PORT,HOST:PORT` for more of either and `&sentinelPassword=` where the
 * Sentinels have one. User and password are percent-encoded.
 */
export const storeUrl: StoreUrlOpener = Object.freeze({
  schemes: Object.freeze(["redis", "rediss"]),
  usage: URL_USAGE,
  open: (url, options = {}) => openRedisStore({ ...options, url }),
} satisfies StoreUrlOpener);
