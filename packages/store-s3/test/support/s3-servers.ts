import { randomBytes } from "node:crypto";
import { CreateBucketCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { onTestFinished } from "vitest";
import type { S3Access } from "@tidemark/test-support/servers";

/** A client as a user would make one, without retries of its own unless asked. */
export function s3Client(access: S3Access, config: S3ClientConfig = {}): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = access;
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    ...config,
  });
}

/** A client that is destroyed after the running test. */
export function temporaryClient(access: S3Access, config: S3ClientConfig = {}): S3Client {
  const client = s3Client(access, config);
  onTestFinished(() => client.destroy());
  return client;
}

/** Makes a bucket with a name of its own. */
export async function makeBucket(client: S3Client): Promise<string> {
  const bucket = `tidemark-${randomBytes(8).toString("hex")}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return bucket;
}
