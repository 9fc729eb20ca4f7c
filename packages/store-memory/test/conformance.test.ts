import { describe, it } from "vitest";
import { type StoreHarness, testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { createMemoryBackend, createMemoryStore } from "../src/index.ts";

// One backend for all cases: they keep apart by namespace, like clients of one server.
const backend = createMemoryBackend();

const harness: StoreHarness = {
  name: `memory store on Node ${process.versions.node}`,
  connection: "embedded",
  async open(options) {
    const store = createMemoryStore({ ...options, backend });
    return { store, close: () => store.close() };
  },
};

testOffsetStoreDriver({ describe, it }, harness);
testOffsetStore({ describe, it }, harness);
