import type { OffsetResetPolicy } from "../../offset-reset-policy.ts";
import { CASE_TIMEOUT_MS } from "../case-limit.ts";
import type { ConformanceRunner } from "../store/test-offset-store.ts";
import { offsetResetPolicyCases } from "./cases.ts";

/** The policy under test. */
export interface OffsetResetPolicyTestSubject {
  /** What the report calls it. */
  readonly name: string;
  /** Makes the policy; called several times. */
  create(): OffsetResetPolicy;
}

/**
 * Registers one test for each thing that every reset policy must do (contract, section 6). Nothing is read or written: the log is simulated.
 *
 * @param runner - The test runner's `describe` and `it`.
 * @param subject - The policy under test.
 */
export function testOffsetResetPolicy(runner: ConformanceRunner, subject: OffsetResetPolicyTestSubject): void {
  runner.describe(`reset policy ${subject.name} keeps the contract`, () => {
    for (const { id, clause, title, run } of offsetResetPolicyCases) {
      runner.it(`${clause} ${id}: ${title}`, async () => run(() => subject.create()), CASE_TIMEOUT_MS);
    }
  });
}
