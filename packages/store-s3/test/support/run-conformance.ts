import { afterAll, beforeAll, describe, it } from "vitest";
import { type StoreHarness, testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { describeWithServer, type ServerName } from "@tidemark/test-support/servers";
import { s3Harness } from "./s3-harness.ts";
import { makeBucket, s3Client } from "./s3-servers.ts";

/** Runs the kit on a server, in a bucket of this run. A file each: so the servers' waits for expiry run side by side. */
export async function runConformance(name: ServerName): Promise<void> {
  await describeWithServer(name, ({ version, s3: access }) => {
    if (access === undefined) throw new Error(`${version} does not say how to reach it`);
    // A server closes a connection that was idle for long: that is repeated.
    const admin = s3Client(access, { maxAttempts: 3 });
    let opening: Pick<StoreHarness, "open">;
    beforeAll(async () => {
      opening = s3Harness({ access, admin, bucket: await makeBucket(admin) });
    });
    afterAll(() => admin.destroy());
    const harness: StoreHarness = {
      name: `s3 store on ${version}`,
      connection: "remote",
      open: (options) => opening.open(options),
    };
    testOffsetStoreDriver({ describe, it: it.concurrent }, harness);
    testOffsetStore({ describe, it: it.concurrent }, harness);
  });
}
