import { openS3Store } from "../src/index.ts";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { claim, key, placeOn } from "./support/open-store.ts";
import { temporaryClient } from "./support/s3-servers.ts";

/** As the SDK says it, whatever the reason is. */
const outage = Object.assign(new Error("connect ECONNREFUSED 169.254.170.23:80"), { name: "CredentialsProviderError" });

await describeWithServer("minio", ({ s3 }) => {
  it("credentials that expire while nobody gives new ones are a passing outage, and none at all at the start are not", async () => {
    const place = await placeOn(s3);
    const { accessKeyId, secretAccessKey } = place.direct;
    let isDown = false;
    const credentials = async () => {
      if (isDown) throw outage;
      // About to expire: the SDK asks again for each request.
      return { accessKeyId, secretAccessKey, expiration: new Date(Date.now() + 1_000) };
    };
    const client = temporaryClient(place.direct, { credentials });
    const store = await openS3Store({ bucket: place.bucket, client });
    onTestFinished(() => store.close());
    const token = await claim(store);
    isDown = true;
    const commit = store.commit([{ key, token, nextOffset: 1n }]);
    await expect(commit).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: true });
    const opening = openS3Store({ bucket: place.bucket, client });
    await expect(opening).rejects.toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
    isDown = false;
    expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual([{ status: "committed" }]);
  });
});
