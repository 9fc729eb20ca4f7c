import assert from "node:assert/strict";
import { runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";
import { GaveWay } from "./sound-backend.ts";

it("a transaction that met a backend which took back what had expired fails no sound store (contract 3.16d)", async () => {
  const recreated = storeConformanceCases.find(({ id }) => id === "transaction/expired-and-recreated");
  assert.ok(recreated);
  let met = 0;
  const harness = spoiledHarness("reclaims", {
    surroundings: "transactional",
    store: ({ store }) => ({
      commit: async (entries, options) => {
        if (entries[0]?.recreate === true && met < 2) {
          met += 1;
          throw new GaveWay("could not serialize access due to concurrent update");
        }
        return store.commit(entries, options);
      },
    }),
  });
  assert.equal(await runStoreCase(harness, recreated), undefined);
  assert.equal(met, 2);
});
