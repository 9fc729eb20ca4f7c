export {
  openPostgresStore,
  type PostgresStoreClientOptions,
  type PostgresStoreOptions,
  type PostgresStoreSettings,
  type PostgresStoreUrlOptions,
} from "./open-postgres-store.ts";
export type { PostgresClient } from "./postgres-client.ts";
export type { PostgresPool, ReservedClient } from "./transaction-pool.ts";
export { storeUrl } from "./store-url.ts";
