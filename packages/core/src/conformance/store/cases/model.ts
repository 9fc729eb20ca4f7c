import { AssertionError } from "node:assert";
import type { ConformanceCase } from "../conformance-case.ts";
import { ModelRun } from "../model/model-run.ts";
import { randomCommands } from "../model/random-commands.ts";
import { SeededRandom } from "../seeded-random.ts";

const COMMANDS = 200;

/** In any order of calls. `testStoreModel` asks the same more often, and finds the shortest list of calls that fails. */
export const modelCases: readonly ConformanceCase[] = [
  {
    id: "model/random-commands",
    clause: "3.1a",
    title: `${COMMANDS} random commands are answered as by a model of the contract`,
    run: async (context) => {
      const { seed } = context;
      const run = new ModelRun(context);
      try {
        await run.run(randomCommands(new SeededRandom(seed), COMMANDS));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new AssertionError({
          message:
            `command ${run.calls.length}; the last of them:\n  ${run.calls.slice(-8).join("\n  ")}\n${message}\n` +
            `testOffsetStore with { seed: ${seed} } repeats it; ` +
            "testStoreModel of @tidemark/core/conformance/model finds a shorter list",
        });
      }
    },
  },
];
