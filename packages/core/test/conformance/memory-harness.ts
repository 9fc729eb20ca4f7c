import type { StoreHarness } from "@tidemark/core/conformance";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";

/** Memory stores that share one backend: two opened with one namespace see the same records. */
export function createMemoryHarness(): StoreHarness {
  const backend = createMemoryBackend();
  return {
    name: "memory",
    connection: "embedded",
    open: async (options) => {
      const store = createMemoryStore({ ...options, backend });
      return { store, close: () => store.close() };
    },
  };
}
