import assert from "node:assert/strict";
import { OffsetStoreError } from "@tidemark/core";
import { runStoreCase, type StoreHarness, storeConformanceCases } from "@tidemark/core/conformance";
import { it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";

/** A harness whose first attempts to open a client are not answered in time, and how many attempts there were. */
function late(failures: number): { readonly harness: StoreHarness; readonly attempts: () => number } {
  const sound = spoiledHarness("sound", {}) as StoreHarness;
  let attempts = 0;
  const harness: StoreHarness = {
    ...sound,
    open: async (options) => {
      attempts += 1;
      if (attempts > failures) return sound.open(options);
      throw new OffsetStoreError("no answer", { code: "TIMEOUT", operation: "open", store: "late", retryable: true });
    },
  };
  return { harness, attempts: () => attempts };
}

const anyCase = storeConformanceCases.find(({ id }) => id === "claim/newest-wins");

it("a client that is not opened in time is opened again: a busy machine is no fault of the store", async () => {
  assert.ok(anyCase);
  await runStoreCase(late(2).harness, anyCase);
});

it("a store that never opens in time fails its case", async () => {
  assert.ok(anyCase);
  const { harness, attempts } = late(Number.POSITIVE_INFINITY);
  await assert.rejects(runStoreCase(harness, anyCase), { code: "TIMEOUT" });
  assert.equal(attempts(), 5);
});
