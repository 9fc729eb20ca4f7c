import { fileURLToPath } from "node:url";
import { it } from "vitest";
import { capabilityTable, expectGenerated } from "@tidemark/test-support/documents";
import { describeWithServer } from "@tidemark/test-support/servers";
import { placeOn } from "./support/open-store.ts";

await describeWithServer("minio", ({ s3 }) => {
  it("the README says what the store declares", async () => {
    const place = await placeOn(s3);
    const { capabilities } = await place.open();
    const table = capabilityTable([{ variant: "", capabilities }]);
    await expectGenerated(fileURLToPath(new URL("../README.md", import.meta.url)), "capabilities", table);
  });
});
