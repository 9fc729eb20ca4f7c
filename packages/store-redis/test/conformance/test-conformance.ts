import { type StoreHarness, testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { describeWithServer, type ServerName } from "@tidemark/test-support/servers";
import { describe, it } from "vitest";
import { type HarnessOptions, openHarness } from "../redis-harness.ts";

/** Runs the kit on a server. One file for each: side by side in one they keep each other from renewing in time. */
export async function testConformance(
  name: ServerName,
  options: { readonly kind: HarnessOptions["kind"]; readonly RESP: 2 | 3 },
): Promise<void> {
  await describeWithServer(name, (server) => {
    // One after the other, for the same reason.
    const runner = { describe, it };
    const harness: StoreHarness<never> = {
      name: `redis store on ${server.version}, RESP${options.RESP}`,
      connection: "remote",
      open: (opened) => openHarness(opened, { server, ...options }),
    };
    testOffsetStoreDriver(runner, harness);
    testOffsetStore(runner, harness);
  });
}
