import { describe, it } from "vitest";
import { testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { describeWithServer, sharedServer } from "@tidemark/test-support/servers";
import { hasTransactions, mongoHarness } from "./mongo-harness.ts";

// What CI has, or the server that the environment names: the same cases on each. Where the server itself is without
// transactions, transactions.test.ts shows those of the engine below.
const server = await sharedServer("mongo");
const transactions = "url" in server && (await hasTransactions(server.url));
await describeWithServer("mongo", ({ url, version }) => {
  const runner = { describe, it: it.concurrent };
  const harness = mongoHarness({ name: `mongo store on ${version}`, url, transactions });
  testOffsetStoreDriver(runner, harness);
  testOffsetStore(runner, harness);
});
