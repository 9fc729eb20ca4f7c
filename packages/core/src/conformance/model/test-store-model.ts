import type { StoreHarness } from "../store/store-harness.ts";
import type { ConformanceRunner } from "../store/test-offset-store.ts";
import { checkStoreModel, type StoreModelOptions, validModelOptions } from "./check-store-model.ts";

const TIMEOUT_MS = 120_000;

/**
 * Declares one test that compares a store with a model of the contract, see {@link checkStoreModel}: in addition to
 * `testOffsetStore`; needs `fast-check`.
 *
 * With the default options it takes seconds against a server nearby, and `shrinkFor` longer if it fails; its time limit
 * is two minutes.
 */
export function testStoreModel<Transaction = unknown>(
  runner: ConformanceRunner,
  harness: StoreHarness<Transaction>,
  options: StoreModelOptions = {},
): void {
  validModelOptions(options);
  runner.describe(`${harness.name} and a model of the contract`, () => {
    runner.it("answer random commands in the same way", () => checkStoreModel(harness, options), TIMEOUT_MS);
  });
}
