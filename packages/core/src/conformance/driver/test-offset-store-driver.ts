import { CASE_TIMEOUT_MS, withinLimit } from "../case-limit.ts";
import type { ConformanceRunner } from "../store/test-offset-store.ts";
import { driverConformanceCases } from "./cases/index.ts";
import type { DriverConformanceCase } from "./driver-case.ts";
import { DriverConformanceContext } from "./driver-context.ts";
import type { DriverHarness } from "./driver-harness.ts";

/**
 * Declares one test per case for a driver. Each failure names the verb that is wrong: begin with these tests when you write a
 * driver, and go on with `testOffsetStore`, which tells every promise that a store does not keep.
 *
 * A driver for a server nearby needs a minute for all of them.
 */
export function testOffsetStoreDriver<Transaction = unknown>(
  runner: ConformanceRunner,
  harness: DriverHarness<Transaction>,
): void {
  runner.describe(`${harness.name} driver`, () => {
    for (const one of driverConformanceCases) {
      runner.it(`${one.verb} ${one.id}: ${one.title}`, () => runDriverCase(harness, one), CASE_TIMEOUT_MS);
    }
  });
}

/** Runs one case with a namespace and clients of its own, and closes them. Rejects with what the case found wrong. */
export async function runDriverCase<Transaction = unknown>(
  harness: DriverHarness<Transaction>,
  one: DriverConformanceCase,
): Promise<void> {
  const context = await DriverConformanceContext.open(harness);
  try {
    await withinLimit(one.run(context));
  } catch (error) {
    await context.abandon();
    throw error;
  }
  await context.close();
}
