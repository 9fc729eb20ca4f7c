import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { CallOptions } from "@tidemark/core";
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

let sent = 0;

/** A call whose caller can give it up, and that is carried out all the same: every second one is overtaken by others. */
async function sentOff<Answer>(options: CallOptions | undefined, call: () => Promise<Answer>): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  options?.signal?.addEventListener("abort", () => reject(options.signal?.reason));
  sent += 1;
  delay(sent % 2 === 0 ? 30 : 1)
    .then(call)
    .then(resolve, reject);
  return promise;
}

describe("each broken store fails in the case that names its fault", () => {
  for (const { fault, caseId, says, spoil, surroundings } of gallery) {
    // A case that sets the clock of the process wrong does so for all that run beside it.
    const declare = caseId.startsWith("clock/") ? it : it.concurrent;
    declare(`${caseId}: ${fault}`, async () => {
      const left = new Left();
      const harness = spoiledHarness(fault, { store: spoil, surroundings, left });
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
    const slow = spoiledHarness("slow", {
      store: ({ store }) => ({ commit: async (...given) => delay(150).then(() => store.commit(...given)) }),
    });
    await assert.doesNotReject(runStoreCase(slow, caseOf("expiry/renewed-by-commit")));
  });

  it("finds nothing wrong with a sound store that stalled until a record was gone", async () => {
    // The first renewal outlasts half of its ttl, the next one comes when the record has just expired.
    const delaysMs = [450, 384];
    const stalled = spoiledHarness("stalled", {
      store: ({ store }) => ({
        commit: async (...given) => delay(delaysMs.shift() ?? 0).then(() => store.commit(...given)),
      }),
    });
    await assert.doesNotReject(runStoreCase(stalled, caseOf("expiry/renewed-by-commit")));
  });

  it("finds nothing wrong with a sound store that calls reach late, also those that were given up", async () => {
    const late = spoiledHarness("late", {
      store: ({ store }) => ({
        claim: (entries, options) => sentOff(options, () => store.claim(entries)),
        commit: (entries, options) => sentOff(options, () => store.commit(entries)),
        reset: (entries, options) => sentOff(options, () => store.reset(entries)),
        delete: (selector, options) => sentOff(options, () => store.delete(selector)),
      }),
    });
    await assert.doesNotReject(runStoreCase(late, caseOf("lifecycle/abort-in-flight")));
  });
});
