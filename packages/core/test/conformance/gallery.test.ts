import assert from "node:assert/strict";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";
import { gallery } from "./gallery.ts";

function caseOf(id: string): (typeof storeConformanceCases)[number] {
  const found = storeConformanceCases.find((each) => each.id === id);
  assert.ok(found, `there is no case ${id}`);
  return found;
}

describe("each broken store fails in the case that names its fault", () => {
  for (const { fault, caseId, says, spoil } of gallery) {
    it.concurrent(`${caseId}: ${fault}`, async () => {
      await assert.rejects(runStoreCase(spoiledHarness(fault, spoil), caseOf(caseId)), (error: unknown) => {
        assert.ok(error instanceof assert.AssertionError, `not an AssertionError: ${String(error)}`);
        assert.match(error.message, says);
        return true;
      });
    });
  }

  it("finds nothing wrong with the same wrapping around a sound store", async () => {
    const sound = spoiledHarness("sound", () => ({}));
    for (const id of new Set(gallery.map(({ caseId }) => caseId)))
      await assert.doesNotReject(runStoreCase(sound, caseOf(id)));
  });
});
