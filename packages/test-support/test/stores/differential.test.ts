import { checkStoreModel } from "@tidemark/core/conformance/model";
import { TEST_EFFORT } from "@tidemark/test-support";
import { describeEachStore, testedStores } from "@tidemark/test-support/stores";
import { it } from "vitest";
import { harnessOf } from "./store-harness.ts";

// One model, six stores compared with it, and so with each other.
await describeEachStore(testedStores, (tested, openBackend) => {
  it("answers random commands as the model of the contract does", { timeout: 300_000 * TEST_EFFORT }, async () => {
    const backend = await openBackend();
    try {
      // Half the time of S3 is opening clients: there the lists are longer.
      const size = tested.name === "s3" ? { runs: 8, maxCommands: 100 } : { runs: 25, maxCommands: 60 };
      await checkStoreModel(harnessOf(tested, backend), { ...size, runs: size.runs * TEST_EFFORT });
    } finally {
      await backend.close();
    }
  });
});
