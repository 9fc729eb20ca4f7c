export type { RedisAcknowledgement } from "./acknowledgement.ts";
export { openRedisStore, type RedisStoreOptions } from "./open-redis-store.ts";
export type {
  RedisClusterClient,
  RedisCommandOptions,
  RedisSentinelClient,
  RedisSingleClient,
  RedisStoreClient,
} from "./redis-client.ts";
export { storeUrl } from "./store-url.ts";
