import { join } from "node:path";
import { capabilityTable, expectGenerated } from "@tidemark/test-support/documents";
import { describeWithServer, sharedOrSkip } from "@tidemark/test-support/servers";
import { expect, test } from "vitest";
import { openRedisStore } from "../src/index.ts";

await describeWithServer("redis", (server) => {
  test("the README says what the store declares", async ({ skip }) => {
    const clusterServer = await sharedOrSkip("redis-cluster", skip);
    await using single = await openRedisStore({ url: server.url });
    await using cluster = await openRedisStore({ url: `${clusterServer.url}?cluster=true` });
    const table = capabilityTable([
      { variant: "alone, Sentinel", capabilities: single.capabilities },
      { variant: "Cluster", capabilities: cluster.capabilities },
    ]);
    await expectGenerated(join(import.meta.dirname, "..", "README.md"), "capabilities", table);
    for (const { capabilities } of [single, cluster]) expect(capabilities.transactions).toBe(false);
  });
});
