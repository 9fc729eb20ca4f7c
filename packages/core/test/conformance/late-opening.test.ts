import assert from "node:assert/strict";
import { OffsetStoreError } from "@tidemark/core";
import { runStoreCase, type StoreHarness, storeConformanceCases } from "@tidemark/core/conformance";
import { it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";

/** A harness with attempts to open a client that are not answered in time, and how many attempts there were. */
function late(isLate: (attempt: number) => boolean): {
  readonly harness: StoreHarness;
  readonly attempts: () => number;
} {
  const sound = spoiledHarness("sound", {}) as StoreHarness;
  let attempts = 0;
  const harness: StoreHarness = {
    ...sound,
    open: async (options) => {
      attempts += 1;
      if (!isLate(attempts)) return sound.open(options);
      throw new OffsetStoreError("no answer", { code: "TIMEOUT", operation: "open", store: "late", retryable: true });
    },
  };
  return { harness, attempts: () => attempts };
}

// It opens a second client.
const twoClients = storeConformanceCases.find(({ id }) => id === "lifecycle/close-twice");

it("a client that is not opened in time is opened again: a busy machine is no fault of the store", async () => {
  assert.ok(twoClients);
  const { harness, attempts } = late((attempt) => attempt % 3 !== 0);
  await runStoreCase(harness, twoClients);
  assert.equal(attempts(), 6);
});

it("a store that never opens in time fails its case", async () => {
  assert.ok(twoClients);
  const { harness, attempts } = late(() => true);
  await assert.rejects(runStoreCase(harness, twoClients), { code: "TIMEOUT" });
  assert.equal(attempts(), 5);
});
