import assert from "node:assert/strict";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";

const cost = storeConformanceCases.find(({ id }) => id === "race/cost");
const SLOW_MS = 20;

/** Runs the case on a store whose machine is busy whenever `isBusy` says so of a commit, counted from the first. */
async function failureWhere(isBusy: (commit: number) => boolean): Promise<unknown> {
  assert.ok(cost);
  let commits = 0;
  const harness = spoiledHarness("busy", {
    store: ({ store }) => ({
      commit: async (entries, options) => {
        commits += 1;
        if (isBusy(commits)) await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
        return store.commit(entries, options);
      },
    }),
  });
  return runStoreCase(harness, cost);
}

it("on a busy machine one lucky round among none calls no store slow", async () => {
  assert.equal(await failureWhere((commit) => commit > 2), undefined);
});

it("nor does a machine that becomes busy for a while: an idle moment is waited for", async () => {
  assert.equal(await failureWhere((commit) => commit > 50 && commit < 300), undefined);
});
