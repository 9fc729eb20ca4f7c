import { S3Client } from "@aws-sdk/client-s3";
import { openS3Store } from "@tidemark/store-s3";
import type { OpenedPlace, Place } from "./place.ts";

/** Positions in a bucket. */
export async function openS3Place(
  { access, bucket }: Extract<Place, { kind: "s3" }>,
  timeout: number,
): Promise<OpenedPlace> {
  const { endpoint, region, accessKeyId, secretAccessKey } = access;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  try {
    const store = await openS3Store({ client, bucket, prefix: "offsets", timeout });
    return {
      store,
      async close() {
        await store.close();
        client.destroy();
      },
    };
  } catch (error) {
    client.destroy();
    throw error;
  }
}
