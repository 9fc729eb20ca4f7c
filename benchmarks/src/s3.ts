import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { openS3Store } from "@tidemark/store-s3";
import type { S3Access } from "@tidemark/test-support/servers";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare, type Side } from "./paired.ts";
import { withServer } from "./server.ts";
import { byWayOf, openSlowNetwork } from "./slow-network.ts";

const ROUNDS = 61;
const CALLS = 5;
const PARTITIONS = 100;
const MANY_PARTITIONS = 10_000;
const NETWORK_MS = 20;

/** Flushes through the S3 store against a bare PutObject of as many bytes by the same client. */
export async function compareS3(): Promise<Comparison[]> {
  return await withServer("minio", async ({ s3, version }) => {
    if (s3 === undefined) throw new Error("the S3 server tells no keys");
    await using network = await openSlowNetwork(s3.endpoint, NETWORK_MS);
    const near = clientOf(s3, s3.endpoint);
    const far = clientOf(s3, byWayOf(network, s3.endpoint));
    try {
      for (const Bucket of ["near", "far", "large", "few", "many"]) {
        await near.send(new CreateBucketCommand({ Bucket }));
      }
      return [
        await compareFlush(near, { bucket: "near", about: version, partitions: PARTITIONS, calls: CALLS }),
        await compareFlush(far, {
          bucket: "far",
          about: `${version}, ${NETWORK_MS} ms away`,
          partitions: PARTITIONS,
          calls: CALLS,
        }),
        await compareFlush(far, {
          bucket: "large",
          about: `${version}, ${NETWORK_MS} ms away`,
          partitions: MANY_PARTITIONS,
          calls: 3,
        }),
        await compareGrowth({
          name: "S3 store",
          open: (place) => openS3Store({ client: near, bucket: place }),
          calls: CALLS,
          inFlight: 8,
        }),
      ];
    } finally {
      near.destroy();
      far.destroy();
    }
  });
}

function clientOf({ region, accessKeyId, secretAccessKey }: S3Access, endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    // As the store's own client.
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

async function compareFlush(
  client: S3Client,
  {
    bucket,
    about,
    partitions,
    calls,
  }: { readonly bucket: string; readonly about: string; readonly partitions: number; readonly calls: number },
): Promise<Comparison> {
  await using store = await openS3Store({ client, bucket, timeout: 60_000 });
  const flushing = await committing(store, partitions, calls);
  // What the first ones learn the later ones know.
  await flushing();
  const requests = await requestsOf(client, flushing);
  const { Contents: [object] = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  const bytes = object?.Size ?? 0;
  const body = "x".repeat(bytes);
  const many = partitions.toLocaleString("en");
  return await compare(
    `S3 store (${about}), a flush of ${many} partitions (${requests / calls} requests), against a bare PutObject of ${bytes} bytes`,
    ROUNDS,
    flushing,
    async () => {
      for (let call = 0; call < calls; call += 1) {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: "bare/benchmark/offsets.json", Body: body }));
      }
      return calls;
    },
  );
}

/** How many requests a side makes. */
async function requestsOf(client: S3Client, side: Side): Promise<number> {
  let requests = 0;
  client.middlewareStack.add(
    (next) => (args) => {
      requests += 1;
      return next(args);
    },
    { step: "finalizeRequest", name: "count" },
  );
  try {
    await side();
  } finally {
    client.middlewareStack.remove("count");
  }
  return requests;
}
