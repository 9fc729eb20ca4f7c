import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { type ConformanceRunner, testOffsetStore } from "@tidemark/core/conformance";

/** Declares the kit for the memory store with a runner's own two functions. */
export function declareMemorySuite(runner: ConformanceRunner): void {
  const backend = createMemoryBackend();
  testOffsetStore(runner, {
    name: "memory",
    connection: "embedded",
    async open(options) {
      const store = createMemoryStore({ ...options, backend });
      return { store, close: () => store.close() };
    },
  });
}
