import { type StoreHarness, testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { describeWithServer, type ServerName } from "@tidemark/test-support/servers";
import { describe, it } from "vitest";
import { type HarnessOptions, openHarness } from "./redis-harness.ts";

const variants: readonly { server: ServerName; kind: HarnessOptions["kind"]; RESP: 2 | 3 }[] = [
  { server: "redis", kind: "single", RESP: 2 },
  { server: "redis", kind: "single", RESP: 3 },
  { server: "redis-newest", kind: "single", RESP: 3 },
  { server: "valkey", kind: "single", RESP: 3 },
  { server: "redis-cluster", kind: "cluster", RESP: 3 },
  { server: "redis-sentinel", kind: "sentinel", RESP: 2 },
];

for (const { server: name, kind, RESP } of variants) {
  await describeWithServer(name, (server) => {
    // One after the other: the cases are quick, and side by side they only keep each other from renewing in time.
    const runner = { describe, it };
    const harness: StoreHarness<never> = {
      name: `redis store on ${server.version}, RESP${RESP}`,
      connection: "remote",
      open: (options) => openHarness(options, { server, kind, RESP }),
    };
    testOffsetStoreDriver(runner, harness);
    testOffsetStore(runner, harness);
  });
}
