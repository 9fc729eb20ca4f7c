import { testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { describeWithServer } from "@tidemark/test-support/servers";
import { describe, it } from "vitest";
import { postgresHarness } from "./postgres-harness.ts";

const runner = { describe, it: it.concurrent };
for (const name of ["postgres", "postgres-newest", "pgbouncer"] as const) {
  await describeWithServer(name, ({ url, version }) => {
    const harness = postgresHarness(`postgres store on ${version}`, url);
    testOffsetStoreDriver(runner, harness);
    testOffsetStore(runner, harness);
  });
}
