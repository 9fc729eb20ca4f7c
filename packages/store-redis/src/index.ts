/** What this store calls itself in messages. */
export const STORE_NAME = "redis";
