import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import S3rver from "s3rver";
import { expect, it, onTestFinished } from "vitest";
import { openS3Store } from "../src/index.ts";
import { temporaryClient } from "./support/s3-servers.ts";

it("s3rver, which takes conditions and overwrites all the same, is refused, and nothing is left in it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "tidemark-s3rver-"));
  const server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory });
  const { port } = await server.run();
  onTestFinished(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });
  const client = temporaryClient(
    { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
    { requestChecksumCalculation: "WHEN_REQUIRED" },
  );
  await client.send(new CreateBucketCommand({ Bucket: "offsets" }));
  const opening = openS3Store({ bucket: "offsets", client });
  await expect(opening).rejects.toMatchObject({ code: "UNSUPPORTED", operation: "open", retryable: false });
  await expect(opening).rejects.toThrow("ignores If-None-Match: * on PUT");
  expect((await client.send(new ListObjectsV2Command({ Bucket: "offsets" }))).KeyCount).toBe(0);
});
