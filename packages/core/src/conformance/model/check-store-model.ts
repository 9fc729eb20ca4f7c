import { AssertionError } from "node:assert";
import * as fc from "fast-check";

import { describe, validateKnownOptions, validateWholeNumber } from "../../driver/validation.ts";
import { ConformanceContext } from "../store/conformance-context.ts";
import type { ModelCommand } from "../store/model/model-command.ts";
import { ModelRun } from "../store/model/model-run.ts";
import type { StoreHarness } from "../store/store-harness.ts";
import { commandLists } from "./command-arbitrary.ts";

/** A store's clock with steps of so many milliseconds or more makes every wait for an expiry take seconds. */
const SLOW_CLOCK_MS = 500;

/** How a store is compared with the model. */
export interface StoreModelOptions {
  /** How many lists of commands. Default 25. */
  readonly runs?: number;
  /** The most commands of a list. Default 60. */
  readonly maxCommands?: number;
  /** Milliseconds for making a failing list shorter. Default 15,000; a run that is under way is ended. */
  readonly shrinkFor?: number;
  /** The seed from the message of a failure, to repeat it. Default: a new one each time. */
  readonly seed?: number;
  /** As `seed`; together with the same `maxCommands`. */
  readonly path?: string;
}

/**
 * Gives the options back if they are right.
 *
 * @throws TypeError or RangeError
 */
export function validModelOptions(options: StoreModelOptions): StoreModelOptions {
  validateKnownOptions(options, ["runs", "maxCommands", "shrinkFor", "seed", "path"]);
  const { runs, maxCommands, shrinkFor, seed, path } = options;
  for (const [name, value] of Object.entries({ runs, maxCommands, shrinkFor })) {
    if (value !== undefined) validateWholeNumber(name, value, name === "shrinkFor" ? 0 : 1, Number.MAX_SAFE_INTEGER);
  }
  if (seed !== undefined) validateWholeNumber("seed", seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (path !== undefined && typeof path !== "string")
    throw new TypeError(`path must be a string, not ${describe(path)}`);
  return options;
}

/**
 * Gives random lists of commands to a store and to a model of the contract (section 3: every verb, in any order, by two
 * clients, with expiry and reopening), and compares every answer. Each list has a namespace of its own.
 *
 * @throws `AssertionError` if they differ: with the shortest list of calls found that shows it, what was answered and what
 *   should have been, and the seed and path that repeat it.
 */
export async function checkStoreModel<Transaction = unknown>(
  harness: StoreHarness<Transaction>,
  options: StoreModelOptions = {},
): Promise<void> {
  const { runs = 25, maxCommands = 60, shrinkFor = 15_000, seed, path } = validModelOptions(options);
  const lists = commandLists({ maxCommands, slowClock: await hasSlowClock(harness) });
  let shrinkUntil = Number.POSITIVE_INFINITY;
  const property = fc.asyncProperty(lists, async (commands) => {
    // What passes is not taken for a shorter list: the shortest one so far stays.
    if (performance.now() > shrinkUntil) return;
    try {
      await runCommands(harness, commands);
    } catch (error) {
      shrinkUntil = Math.min(shrinkUntil, performance.now() + shrinkFor);
      throw error;
    }
  });
  const replay = { ...(seed !== undefined && { seed }), ...(path !== undefined && { path }) };
  const details = await fc.check(property, { numRuns: runs, ...replay });
  if (!details.failed) return;
  const { errorInstance, counterexamplePath, numShrinks } = details;
  const found = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  const how = `{ seed: ${details.seed}, path: ${JSON.stringify(counterexamplePath)}, maxCommands: ${maxCommands} }`;
  throw new AssertionError({
    message:
      `${harness.name} does not answer as the contract says, found by run ${details.numRuns} ` +
      `and ${numShrinks} shorter lists; again with ${how}\n${found}`,
  });
}

async function runCommands<Transaction>(
  harness: StoreHarness<Transaction>,
  commands: readonly ModelCommand[],
): Promise<void> {
  const context = await ConformanceContext.open(harness);
  const run = new ModelRun(context);
  try {
    await run.run(commands);
  } catch (error) {
    await context.abandon();
    // Metadata may be long.
    const message = (error instanceof Error ? error.message : String(error)).replaceAll(/(.)\1{40,}/g, "$1$1$1...");
    const calls = run.calls.map((call, index) => `${index + 1}. ${call}`).join("\n  ");
    throw new Error(`  ${calls}\nThe last of these: ${message}`, { cause: error });
  }
  await context.close();
}

async function hasSlowClock<Transaction>(harness: StoreHarness<Transaction>): Promise<boolean> {
  const context = await ConformanceContext.open(harness);
  const { granularityMs } = context.capabilities.expiry;
  await context.close();
  return granularityMs >= SLOW_CLOCK_MS;
}
