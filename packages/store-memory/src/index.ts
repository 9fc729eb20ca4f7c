export { createMemoryStore, type MemoryStoreOptions } from "./create-memory-store.ts";
export { createMemoryBackend, type MemoryBackend, type MemoryBackendOptions } from "./memory-backend.ts";
export { storeUrl } from "./store-url.ts";
