import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { expectGenerated } from "@tidemark/test-support/documents";
import { describe, it } from "vitest";
import { Left, spoiledHarness } from "./broken-store.ts";
import { foundByHistories, foundByModel } from "./found-by.ts";
import { gallery } from "./gallery.ts";

function caseOf(id: string): (typeof storeConformanceCases)[number] {
  const found = storeConformanceCases.find((each) => each.id === id);
  assert.ok(found, `there is no case ${id}`);
  return found;
}

describe("each broken store fails in the case that names its fault", () => {
  for (const { fault, caseId, says, spoil, surroundings } of gallery) {
    it.concurrent(`${caseId}: ${fault}`, async () => {
      const left = new Left();
      const harness = spoiledHarness(fault, spoil, surroundings, left);
      await assert.rejects(runStoreCase(harness, caseOf(caseId)), (error: unknown) => {
        assert.ok(error instanceof assert.AssertionError, `not an AssertionError: ${String(error)}`);
        assert.match(error.message, says);
        return true;
      });
      assert.deepEqual(left.open, [], "what the next cases would meet");
    });
  }

  it("is told in docs/broken-stores.md", async () => {
    const mark = (found: ReadonlySet<string>, fault: string): string => (found.has(fault) ? "x" : "");
    const rows = gallery.map(
      ({ fault, caseId }) =>
        `| ${fault} | ${caseOf(caseId).clause} | \`${caseId}\` | ${mark(foundByModel, fault)} | ${mark(foundByHistories, fault)} |`,
    );
    const table = ["| fault | clause | case | model | histories |", "| --- | --- | --- | --- | --- |", ...rows].join(
      "\n",
    );
    const file = fileURLToPath(new URL("../../../../docs/broken-stores.md", import.meta.url));
    await expectGenerated(file, "gallery", table);
  });

  it("finds nothing wrong with a sound store that is slow to renew", async () => {
    const slow = spoiledHarness("slow", ({ store }) => ({
      commit: async (...given) => delay(150).then(() => store.commit(...given)),
    }));
    await assert.doesNotReject(runStoreCase(slow, caseOf("expiry/renewed-by-commit")));
  });

  it("finds nothing wrong with a sound store that stalled until a record was gone", async () => {
    // The first renewal outlasts half of its ttl, the next one comes when the record has just expired.
    const delaysMs = [450, 384];
    const stalled = spoiledHarness("stalled", ({ store }) => ({
      commit: async (...given) => delay(delaysMs.shift() ?? 0).then(() => store.commit(...given)),
    }));
    await assert.doesNotReject(runStoreCase(stalled, caseOf("expiry/renewed-by-commit")));
  });

  it("finds nothing wrong with the same wrapping around a sound store", { timeout: 60_000 }, async () => {
    for (const kind of ["memory", "durable", "remote", "transactional"] as const) {
      const sound = spoiledHarness("sound", () => ({}), kind);
      const ids = gallery.filter(({ surroundings = "memory" }) => surroundings === kind).map(({ caseId }) => caseId);
      for (const id of new Set(ids)) await assert.doesNotReject(runStoreCase(sound, caseOf(id)), id);
    }
  });
});
