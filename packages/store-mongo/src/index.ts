export {
  type MongoStoreClientOptions,
  type MongoStoreOptions,
  type MongoStoreSettings,
  type MongoStoreUrlOptions,
  openMongoStore,
} from "./open-mongo-store.ts";
export { storeUrl } from "./store-url.ts";
