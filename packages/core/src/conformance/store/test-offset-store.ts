import { describe, validateKnownOptions, validateWholeNumber } from "../../driver/validation.ts";
import { CASE_TIMEOUT_MS, withinLimit } from "../case-limit.ts";
import { driverConformanceCases } from "../driver/cases/index.ts";
import type { Untried } from "../untried.ts";
import { storeConformanceCases } from "./cases/index.ts";
import type { ConformanceCase } from "./conformance-case.ts";
import { ConformanceContext } from "./conformance-context.ts";
import type { StoreHarness } from "./store-harness.ts";

/** What the kit uses of a test runner: vitest's, jest's or `node:test`'s own two functions. */
export interface ConformanceRunner {
  describe(name: string, define: () => void): unknown;
  /** `timeout` in milliseconds; `node:test` has none by default, and ignores it. */
  it(name: string, run: () => Promise<void>, timeout?: number): unknown;
}

/** How a store is tested. */
export interface TestOffsetStoreOptions {
  /**
   * Case id to reason: where the store is known to break the contract. Such a case MUST fail and is printed; once it passes
   * the test fails, so that the list never outlives its reasons. An id that no case has, of stores or of drivers, is an error.
   */
  readonly knownDeviations?: Readonly<Record<string, string>>;
  /** For cases that choose at random: the seed in a failure's message. Default: another one each time. */
  readonly seed?: number;
}

/**
 * Declares one test per conformance case (contract, sections 3 and 8) for a store.
 *
 * No case takes longer than about twenty seconds against a server nearby; the time limit for each is five minutes, for
 * busy machines. A store must handle 2,500 records in one call within its timeout of ten seconds: a slower one fails
 * cases that test something else.
 *
 * @throws TypeError if an option is wrong, or `knownDeviations` names a case that does not exist.
 */
export function testOffsetStore<Transaction = unknown>(
  runner: ConformanceRunner,
  harness: StoreHarness<Transaction>,
  options: TestOffsetStoreOptions = {},
): void {
  validateKnownOptions(options, ["knownDeviations", "seed"]);
  const { knownDeviations = {}, seed } = options;
  validateSeed(seed);
  if (typeof knownDeviations !== "object" || knownDeviations === null) {
    throw new TypeError(
      `knownDeviations must be an object: the id of a case, and the reason; not ${describe(knownDeviations)}`,
    );
  }
  const deviations = new Map(Object.entries(knownDeviations));
  // `tidemark-conformance` takes the same list for the cases of both.
  const ids = new Set([...storeConformanceCases, ...driverConformanceCases].map(({ id }) => id));
  for (const id of deviations.keys()) {
    if (!ids.has(id)) throw new TypeError(`knownDeviations names ${JSON.stringify(id)}, which is no conformance case`);
  }
  runner.describe(`${harness.name} keeps the offset store contract`, () => {
    for (const conformanceCase of storeConformanceCases) {
      const { id, clause, title } = conformanceCase;
      const reason = deviations.get(id);
      const known = reason === undefined ? "" : ` (KNOWN DEVIATION: ${reason})`;
      const run = (): Promise<void> =>
        reason === undefined
          ? runStoreCase(harness, conformanceCase, { seed }).then(() => undefined)
          : expectDeviation(harness, conformanceCase, reason, seed);
      runner.it(`${clause} ${id}: ${title}${known}`, run, CASE_TIMEOUT_MS);
    }
  });
}

/**
 * Runs one case with a namespace and clients of its own, and closes them. Rejects with what the case found wrong.
 *
 * @param options - `seed` as in {@link TestOffsetStoreOptions}.
 * @returns Why the case had nothing to look at; `undefined` if it had.
 */
export async function runStoreCase<Transaction = unknown>(
  harness: StoreHarness<Transaction>,
  conformanceCase: ConformanceCase,
  options: { readonly seed?: number | undefined } = {},
): Promise<Untried | undefined> {
  validateKnownOptions(options, ["seed"]);
  validateSeed(options.seed);
  const context = await ConformanceContext.open(harness, options.seed);
  try {
    await withinLimit(conformanceCase.run(context));
  } catch (error) {
    await context.abandon();
    throw error;
  }
  await context.close();
  return context.untried;
}

function validateSeed(seed: unknown): void {
  if (seed !== undefined) validateWholeNumber("seed", seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

async function expectDeviation<Transaction>(
  harness: StoreHarness<Transaction>,
  conformanceCase: ConformanceCase,
  reason: string,
  seed: number | undefined,
): Promise<void> {
  const { id, clause } = conformanceCase;
  let untried: Untried | undefined;
  try {
    untried = await runStoreCase(harness, conformanceCase, { seed });
  } catch (error) {
    console.warn(`${harness.name} deviates from ${clause} (${id}): ${reason}\n  ${String(error)}`);
    return;
  }
  // It had nothing to look at.
  if (untried !== undefined) return;
  throw new Error(`${id} passes: remove it from knownDeviations, where it says ${JSON.stringify(reason)}`);
}
