import { CASE_TIMEOUT_MS } from "../case-limit.ts";
import type { ConformanceRunner } from "../store/test-offset-store.ts";
import { sourceConformanceCases } from "./cases/index.ts";
import type { SourceConformanceCase } from "./source-case.ts";
import type { OpenedSource, SourceAbility, SourceHarness } from "./source-harness.ts";

/**
 * Declares one test for each thing that every log must do (clauses 7.1 to 7.12), each on a log of its own.
 *
 * A case that needs an ability which the harness does not declare is named in the report as not shown, and not run.
 */
export function testLogSource(runner: ConformanceRunner, harness: SourceHarness): void {
  runner.describe(`${harness.name} keeps the log source contract`, () => {
    for (const sourceCase of sourceConformanceCases) {
      const { id, clause, title, needs = [] } = sourceCase;
      const missing = needs.filter((ability) => !harness.can.includes(ability));
      const isShown = missing.length === 0;
      const note = isShown ? "" : ` (NOT SHOWN: needs ${missing.join(", ")})`;
      const run = async (): Promise<void> => (isShown ? runSourceCase(harness, sourceCase) : undefined);
      runner.it(`${clause} ${id}: ${title}${note}`, run, CASE_TIMEOUT_MS);
    }
  });
}

/** Runs one case on a log of its own, and closes it. Rejects with what the case found wrong. */
export async function runSourceCase(harness: SourceHarness, sourceCase: SourceConformanceCase): Promise<void> {
  const opened = await harness.open();
  try {
    for (const ability of sourceCase.needs ?? []) requireAbility(opened, ability);
    await sourceCase.run(opened);
  } catch (error) {
    // What the case found matters more than a failure to clean up after it.
    await opened.close().catch(() => undefined);
    throw error;
  }
  await opened.close();
}

function requireAbility(opened: OpenedSource, ability: SourceAbility): void {
  // A log that has no marks although it says so is found out by the case.
  if (ability === "marks") return;
  const there = ability === "admin" ? opened.source.admin : opened[ability === "advanceFar" ? "advanceTo" : ability];
  if (there === undefined) throw new TypeError(`the harness says that it can ${ability}, but what it opened has none`);
}
