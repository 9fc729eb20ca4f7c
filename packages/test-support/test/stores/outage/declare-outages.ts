import { describeOnOwnServer, testedRemoteStores } from "@tidemark/test-support/stores";
import { it } from "vitest";
import { type Declare, withBench } from "./bench.ts";
import { defineLostAnswers } from "./lost-answers.ts";
import { defineRecovery } from "./recovery.ts";
import { defineSilence } from "./silence.ts";

/** Declares the tests of one store, on a server of their own. A file for each store: they wait more than they work. */
export async function declareOutages(name: "redis" | "mongo" | "postgres" | "s3"): Promise<void> {
  const tested = testedRemoteStores.find((store) => store.name === name);
  if (tested === undefined) throw new RangeError(`there is no store ${name}`);
  await describeOnOwnServer(tested, (server) => {
    const on: Declare = (title, use) => {
      // oxlint-disable-next-line vitest/valid-title -- a string, as its type says
      it(title, () => withBench(tested, server, use));
    };
    defineLostAnswers(on);
    defineSilence(on);
    defineRecovery(on);
  });
}
