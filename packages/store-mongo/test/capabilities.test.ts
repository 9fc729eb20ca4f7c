import { fileURLToPath } from "node:url";
import { it } from "vitest";
import { capabilityTable, expectGenerated } from "@tidemark/test-support/documents";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { openStore } from "./open-store.ts";

await describeWithTransactions(({ url, behind }) => {
  it("the README says what the store declares", async () => {
    const { store: replicated } = await openStore(url);
    const { store: lax } = await openStore(url, { writeConcern: { w: 1 } });
    // A real replica set has no server beside it that stands alone: its column rests on CI then.
    const alone = behind && (await openStore(behind.url)).store.capabilities;
    const table = capabilityTable([
      { variant: "replica set, sharded", capabilities: replicated.capabilities },
      { variant: "the same, `{ w: 1 }`", capabilities: lax.capabilities },
      {
        variant: "standing alone, FerretDB",
        capabilities: alone ?? { ...replicated.capabilities, transactions: false },
      },
    ]);
    await expectGenerated(fileURLToPath(new URL("../README.md", import.meta.url)), "capabilities", table);
  });
});
