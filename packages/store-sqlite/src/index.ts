export { openSqliteStore, type SqliteStoreOptions } from "./open-sqlite-store.ts";
export type { SqliteTransaction } from "./sqlite-transaction.ts";
export { storeUrl } from "./store-url.ts";
