import { describe, expect, it, onTestFinished, vi } from "vitest";
import { storeUrl } from "../src/index.ts";
import { claim, fetched, key, placeOn } from "./support/open-store.ts";
import { describeWithServer } from "@tidemark/test-support/servers";

describe("storeUrl", () => {
  it.each([
    ["s3:", "names no bucket"],
    ["s3://", "names no bucket"],
    ["s3:///prefix", "names no bucket"],
    ["s3://b#x", "names no bucket"],
    ["memory:", "names no bucket"],
    ["s3://b/a//b", "empty"],
    ["s3://b/../c", "segment"],
    ["s3://b/100%", "write it as %25"],
    ["s3://b?timeout=5", 'unknown option "timeout"'],
    ["s3://b?forcePathStyle=yes", "must be true or false"],
    ["s3://b?endpoint=localhost:9000", "endpoint must be a URL"],
  ])("refuses %s", async (url, message) => {
    const opening = storeUrl.open(url);
    await expect(opening).rejects.toThrow(TypeError);
    await expect(opening).rejects.toThrow(message);
  });

  it.each([
    "s3://AKIA:hidden-word@b/p",
    "s3://AKIA:1?hidden-word@b/p",
    "s3://AKIA:1?hidden-word&2@b/p",
    "s3://AKIA:1?hidden-word-key=2@b/p",
    "s3://AKIA:hidden-word/2@b/p",
    "s3://b?secretAccessKey=hidden-word",
    "s3://b?accessKeyId=hidden-word",
    "s3://b?sessionToken=hidden-word",
    "s3://b?endpoint=http://me:hidden-word@127.0.0.1:9000",
  ])("takes no credentials, and does not repeat them: %s", async (url) => {
    const error: unknown = await storeUrl.open(url).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).not.toContain("hidden-word");
  });
});

await describeWithServer("minio", ({ s3 }) => {
  it("opens a bucket and a prefix, with credentials from the environment", async () => {
    const place = await placeOn(s3);
    vi.stubEnv("AWS_ACCESS_KEY_ID", s3?.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", s3?.secretAccessKey);
    onTestFinished(() => void vi.unstubAllEnvs());
    const query = new URLSearchParams({ endpoint: place.access.endpoint, region: "us-east-1", forcePathStyle: "true" });
    const url = `s3://${place.bucket}/one/two%20three?${query.toString()}`;
    const store = await storeUrl.open(url, { namespace: "n", timeout: 5_000 });
    onTestFinished(() => store.close());
    expect(store).toMatchObject({ name: "s3", namespace: "n", capabilities: { durability: "synced" } });
    const token = await claim(store);
    await store.commit([{ key, token, nextOffset: 3n }]);
    expect(place.proxy.requests.at(-1)).toBe(`PUT /${place.bucket}/one/two three/n/c1/orders/offsets.ndjson`);
    expect(await fetched(store)).toMatchObject({ nextOffset: 3n });
  });
});
