import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { type ConformanceRunner, type StoreHarness, testOffsetStore } from "@tidemark/core/conformance";
import { testStoreModel } from "@tidemark/core/conformance/model";

/** Declares the kit and the model test for the memory store with a runner's own two functions. */
export function declareMemorySuite(runner: ConformanceRunner): void {
  const backend = createMemoryBackend();
  const harness: StoreHarness = {
    name: "memory",
    connection: "embedded",
    async open(options) {
      const store = createMemoryStore({ ...options, backend });
      return { store, close: () => store.close() };
    },
  };
  testOffsetStore(runner, harness);
  testStoreModel(runner, harness, { runs: 5 });
}
