import { testOffsetStoreDriver } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { createMemoryBackend, tablesBehind } from "../src/memory-backend.ts";
import { MemoryDriver } from "../src/memory-driver.ts";

const tables = tablesBehind(createMemoryBackend());

testOffsetStoreDriver(
  { describe, it },
  {
    name: "memory",
    connection: "embedded",
    open: async ({ namespace }) => {
      const driver = new MemoryDriver(tables.table(namespace), tables.clock);
      return { driver, close: () => driver.close() };
    },
  },
);
