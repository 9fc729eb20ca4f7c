import { describe, it } from "vitest";
import { testOffsetStore } from "@tidemark/core/conformance";
import { createMemoryBackend, createMemoryStore } from "../src/index.ts";

// One backend for all cases: they keep apart by namespace, like clients of one server.
const backend = createMemoryBackend();

testOffsetStore(
  { describe, it },
  {
    name: `memory store on Node ${process.versions.node}`,
    connection: "embedded",
    async open(options) {
      const store = createMemoryStore({ ...options, backend });
      return { store, close: () => store.close() };
    },
  },
);
