import assert from "node:assert/strict";
import { OffsetStoreError } from "@tidemark/core";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";

// Node's report of such a difference takes gigabytes: the line of each key of each error is compared with all others.
it("a store whose call fails for thousands of keys is reported by its first failure", async () => {
  const closeWaits = storeConformanceCases.find(({ id }) => id === "lifecycle/close-waits");
  assert.ok(closeWaits);
  const harness = spoiledHarness("failing", {
    store: () => ({
      claim: (entries) => {
        const keys = entries.map(({ key }) => key);
        const error = new OffsetStoreError("the disk is full", {
          code: "UNAVAILABLE",
          operation: "claim",
          store: "failing",
          keys,
        });
        return Promise.resolve(keys.map((key) => ({ status: "failed" as const, key, error })));
      },
    }),
  });
  await assert.rejects(runStoreCase(harness, closeWaits), ({ message }: Error) => {
    assert.match(message, /^got \d{4} entries instead of 0; the first that differs is entry 0: [^]*the disk is full/);
    assert.ok(message.length < 5_000, `${message.length} characters`);
    return true;
  });
});
