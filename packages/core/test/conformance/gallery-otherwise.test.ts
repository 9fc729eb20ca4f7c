import assert from "node:assert/strict";
import { inspect } from "node:util";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { checkStoreModel } from "@tidemark/core/conformance/model";
import { describe, it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";
import { foundByHistories, foundByModel } from "./found-by.ts";
import { gallery } from "./gallery.ts";

/** A race shows in most attempts, but not in each. */
const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

const histories = storeConformanceCases.filter(({ id }) => id === "history/linearizable");

describe("beside the case that names its fault", () => {
  it("each store that is said to be found otherwise is in the gallery", () => {
    const faults = new Set(gallery.map(({ fault }) => fault));
    assert.deepEqual(
      [...foundByModel, ...foundByHistories].filter((fault) => !faults.has(fault)),
      [],
    );
  });

  for (const { fault, spoil, surroundings } of gallery.filter(({ fault: name }) => foundByModel.has(name))) {
    it(`the model test finds that ${fault}`, async () => {
      await rejectsOnce(SEEDS, (seed) =>
        checkStoreModel(spoiledHarness(fault, { store: spoil, surroundings }), { seed, shrinkFor: 0 }),
      );
    });
  }

  for (const { fault, spoil, surroundings } of gallery.filter(({ fault: name }) => foundByHistories.has(name))) {
    it(`some order of concurrent calls would have to explain that ${fault}, and none does`, async () => {
      await rejectsOnce(SEEDS, async () => {
        for (const one of histories) await runStoreCase(spoiledHarness(fault, { store: spoil, surroundings }), one);
      });
    });
  }
});

/** Fails unless one of the attempts finds a fault, and says which calls show it. */
async function rejectsOnce(seeds: readonly number[], attempt: (seed: number) => Promise<void>): Promise<void> {
  for (const seed of seeds) {
    const error: unknown = await attempt(seed).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) continue;
    assert.ok(error instanceof assert.AssertionError, `not an AssertionError: ${inspect(error)}`);
    assert.match(error.message, /does not answer as the contract says|no order of these/);
    assert.ok(error.message.split("no order of these").length <= 2, "the calls are told twice");
    return;
  }
  assert.fail(`none of ${seeds.length} attempts found it`);
}
