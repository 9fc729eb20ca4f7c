import { testOffsetStore } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { spoiledHarness, type Surroundings } from "./broken-store.ts";

// What the galleries break is sound before, in every kind of surroundings: where what has expired is gone at once, too.
for (const surroundings of [
  "memory",
  "reclaiming",
  "durable",
  "remote",
  "transactional",
] satisfies readonly Surroundings[]) {
  testOffsetStore({ describe, it }, spoiledHarness(`sound, ${surroundings}:`, { surroundings }));
}
