export { openS3Store, type S3StoreOptions } from "./open-s3-store.ts";
export { storeUrl } from "./store-url.ts";
