export { openSqliteStore, type SqliteStoreOptions } from "./open-sqlite-store.ts";
export type { SqliteStatement, SqliteTransaction } from "./sqlite-transaction.ts";
export { storeUrl } from "./store-url.ts";
