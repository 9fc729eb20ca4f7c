export type { RedisAcknowledgement } from "./acknowledgement.ts";
export { openRedisStore, type RedisStoreOptions } from "./open-redis-store.ts";
export type {
  RedisClusterClient,
  RedisCommandOptions,
  RedisSentinelClient,
  RedisSentinelLease,
  RedisSingleClient,
  RedisStoreClient,
} from "./redis-client.ts";
export {
  beginRedisTransaction,
  type RedisMulti,
  type RedisTransaction,
  type RedisTransactionConnection,
} from "./redis-transaction.ts";
export { storeUrl } from "./store-url.ts";
