import assert from "node:assert/strict";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";

/** Longer than the time-out of the calls and what the kit waits beyond it. */
const STALL_MS = 5_500;

it("a process that stands still while its calls wait for a silent server fails no sound store", async () => {
  const silence = storeConformanceCases.find(({ id }) => id === "failure/silence");
  assert.ok(silence);
  let listings = 0;
  const harness = spoiledHarness("stalled", {
    surroundings: "remote",
    store: ({ store }) => ({
      list: (...asked) => {
        listings += 1;
        if (listings === 2) setImmediate(standStill);
        return store.list(...asked);
      },
    }),
  });
  assert.equal(await runStoreCase(harness, silence), undefined);
  assert.ok(listings >= 2, "the process did not stand still");
});

function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
}
