import type { StoreHarness } from "../store/store-harness.ts";
import type { ConformanceRunner } from "../store/test-offset-store.ts";
import { checkStoreModel, type StoreModelOptions, validModelOptions } from "./check-store-model.ts";

const TIMEOUT_MS = 120_000;

/**
 * Declares one test that compares a store with a model of the contract, see {@link checkStoreModel}: beside
 * `testOffsetStore`, for those who have `fast-check`.
 *
 * With the default options it takes seconds against a server nearby, and `shrinkFor` longer if it fails; the runner is told
 * to give it two minutes.
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
