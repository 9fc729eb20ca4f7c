import { launchServer, type OwnServer, serversAreRequired } from "@tidemark/test-support/servers";
import { testedRemoteStores } from "@tidemark/test-support/stores";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Declare, withBench } from "./bench.ts";
import { defineLostAnswers } from "./lost-answers.ts";
import { defineRecovery } from "./recovery.ts";
import { defineSilence } from "./silence.ts";

const LIMIT = { timeout: 120_000 };

/** Declares the tests of one store, on a server of their own. A file for each store: they wait more than they work. */
export function declareOutages(name: "redis" | "mongo" | "s3"): void {
  const tested = testedRemoteStores.find((store) => store.name === name);
  if (tested === undefined) throw new RangeError(`there is no store ${name}`);
  describe(`${name} store`, LIMIT, () => {
    let server: OwnServer | undefined;
    beforeAll(async () => {
      const launched = await launchServer(tested.server);
      if (!("missing" in launched)) server = launched;
      else if (serversAreRequired()) throw new Error(launched.missing);
      else console.warn(`${launched.missing}: outages of the ${name} store were not tested`);
    }, LIMIT.timeout);
    afterAll(async () => server?.stop());

    const on: Declare = (title, use) => {
      it(title, async () => {
        if (server !== undefined) await withBench(tested, server, use);
      });
    };
    defineLostAnswers(on);
    defineSilence(on);
    defineRecovery(on);
  });
}
