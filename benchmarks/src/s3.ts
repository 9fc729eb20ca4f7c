import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { openS3Store } from "@tidemark/store-s3";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare } from "./paired.ts";
import { withServer } from "./server.ts";

const ROUNDS = 15;
const CALLS = 100;
const PARTITIONS = 100;

/** Flushes through the S3 store against a bare PutObject of as many bytes by the same client. */
export async function compareS3(): Promise<Comparison[]> {
  return await withServer("minio", async ({ s3, version }) => {
    if (s3 === undefined) throw new Error("the S3 server tells no keys");
    const { endpoint, region, accessKeyId, secretAccessKey } = s3;
    const client = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      // As the store's own client.
      maxAttempts: 1,
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
    try {
      for (const Bucket of ["flush", "few", "many"]) await client.send(new CreateBucketCommand({ Bucket }));
      await using store = await openS3Store({ client, bucket: "flush" });
      const flushing = await committing(store, PARTITIONS, CALLS);
      await flushing();
      const { Contents: [object] = [] } = await client.send(new ListObjectsV2Command({ Bucket: "flush" }));
      const bytes = object?.Size ?? 0;
      const body = "x".repeat(bytes);
      const flush = await compare(
        `S3 store (${version}), a flush of ${PARTITIONS} partitions, against a bare PutObject of ${bytes} bytes`,
        ROUNDS,
        flushing,
        async () => {
          for (let call = 0; call < CALLS; call += 1) {
            await client.send(
              new PutObjectCommand({ Bucket: "flush", Key: "bare/benchmark/offsets.json", Body: body }),
            );
          }
          return CALLS;
        },
      );
      const growth = await compareGrowth({
        name: "S3 store",
        open: (place) => openS3Store({ client, bucket: place }),
        calls: CALLS,
        inFlight: 8,
      });
      return [flush, growth];
    } finally {
      client.destroy();
    }
  });
}
