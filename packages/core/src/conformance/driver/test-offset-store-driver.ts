import { driverOf } from "../../driver/driver-of-store.ts";
import { CASE_TIMEOUT_MS, withinLimit } from "../case-limit.ts";
import type { ConformanceRunner } from "../store/test-offset-store.ts";
import type { Untried } from "../untried.ts";
import { driverConformanceCases } from "./cases/index.ts";
import type { DriverConformanceCase } from "./driver-case.ts";
import { DriverConformanceContext } from "./driver-context.ts";
import type { StoreHarness } from "../store/store-harness.ts";

/**
 * Declares one test per case (contract, section 4) for the driver of a store that `createOffsetStore` has made. Each failure names the verb that is
 * wrong: begin with these tests when you write a driver, and continue with `testOffsetStore`, which reports every guarantee that
 * your store breaks.
 *
 * A driver for a server nearby needs a minute for all of them. There are no known deviations here: a driver with one is tested by
 * `tidemark-conformance`.
 *
 * @param harness - The one for `testOffsetStore`. For a remote store it needs `loseAnswers` too.
 */
export function testOffsetStoreDriver<Transaction = unknown>(
  runner: ConformanceRunner,
  harness: StoreHarness<Transaction>,
): void {
  runner.describe(`${harness.name} driver`, () => {
    for (const one of driverConformanceCases) {
      runner.it(
        `${one.clause} ${one.verb} ${one.id}: ${one.title}`,
        async () => void (await runDriverCase(harness, one)),
        CASE_TIMEOUT_MS,
      );
    }
  });
}

/** Whether a store comes from `createOffsetStore`, so that it has a driver to test. */
export function hasDriver(store: object): boolean {
  return driverOf(store) !== undefined;
}

/**
 * Runs one case with a namespace and clients of its own, and closes them. Rejects with what the case found wrong.
 *
 * @returns Why the case had nothing to look at; `undefined` if it had.
 */
export async function runDriverCase<Transaction = unknown>(
  harness: StoreHarness<Transaction>,
  one: DriverConformanceCase,
): Promise<Untried | undefined> {
  const context = await DriverConformanceContext.open(harness);
  try {
    await withinLimit(one.run(context));
  } catch (error) {
    await context.abandon();
    throw error;
  }
  await context.close();
  return context.untried;
}
