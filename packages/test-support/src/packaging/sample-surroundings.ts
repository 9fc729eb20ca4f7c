import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { requireServer, type RunningServer, type ServerName, sharedServer } from "../servers/index.ts";
import { startTransactionGateway } from "../transaction-gateway/index.ts";

/** What a sample of the documents runs in. */
export interface SampleSurroundings {
  /** Puts the servers' real addresses into the place of those that a reader would use. */
  adapt(text: string): string;
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** The bucket that the samples write to. */
const BUCKET = "my-bucket";

/** Where the servers are in the samples. */
const REDIS = "redis://127.0.0.1:6379";
const MONGO = "mongodb://127.0.0.1:27017/?replicaSet=rs0";
const POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres";
const S3 = "http://127.0.0.1:9000";
const KAFKA = "127.0.0.1:9092";

/**
 * Prepares what a sample that is fenced as `ts on-NAME` needs, or as `ts on-NAME on-NAME`: `redis`, `mongo`,
 * `mongo-transactions`, `postgres`, `minio` or `kafka`.
 *
 * @throws Error if there is no such server here, or nobody knows the name.
 */
export async function sampleSurroundings(names: readonly string[]): Promise<SampleSurroundings> {
  const each: SampleSurroundings[] = [];
  for (const name of names) each.push(await surroundingsOn(name));
  return {
    adapt: (text) => each.reduce((adapted, { adapt }) => adapt(adapted), text),
    environment: Object.assign({}, ...each.map(({ environment }) => environment)) as Record<string, string>,
    close: async () => {
      for (const { close } of each) await close();
    },
  };
}

async function surroundingsOn(name: string): Promise<SampleSurroundings> {
  if (name === "redis") return replacing(REDIS, (await server("redis")).url);
  if (name === "mongo") return replacing(MONGO, (await server("mongo")).url);
  if (name === "mongo-transactions") return transactions();
  if (name === "postgres") return replacing(POSTGRES, (await server("postgres")).url);
  if (name === "minio") return minio();
  if (name === "kafka") return replacing(KAFKA, new URL((await server("kafka")).url).host);
  throw new Error(
    `a sample is fenced as on-${name}; known are on-redis, on-mongo, on-mongo-transactions, on-postgres, on-minio, on-kafka`,
  );
}

/** The first of these that is not here. */
export async function missingServer(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) if ("missing" in (await sharedServer(serverOfSample(name)))) return name;
  return undefined;
}

/** The server that such a sample needs first of all. */
export function serverOfSample(name: string): ServerName {
  return name === "mongo-transactions" ? "mongo" : (name as ServerName);
}

async function server(name: ServerName): Promise<RunningServer> {
  const found = await sharedServer(name);
  requireServer(found);
  return found;
}

function replacing(address: string, actual: string): SampleSurroundings {
  return {
    adapt(text) {
      if (!text.includes(address)) throw new Error(`the sample does not use ${address}: it would run on nothing`);
      return text.replaceAll(address, actual);
    },
    environment: {},
    close: async () => undefined,
  };
}

async function transactions(): Promise<SampleSurroundings> {
  const { url, engineUrl } = await server("mongo");
  if (engineUrl === undefined) return replacing(MONGO, url);
  const gateway = await startTransactionGateway({ url, engineUrl });
  return { ...replacing(MONGO, gateway.url), close: () => gateway.close() };
}

async function minio(): Promise<SampleSurroundings> {
  const { s3 } = await server("minio");
  if (s3 === undefined) throw new Error("the shared MinIO does not say how it is spoken to");
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: BUCKET })).catch((error: unknown) => {
      if (!(error instanceof Error) || error.name !== "BucketAlreadyOwnedByYou") throw error;
    });
  } finally {
    client.destroy();
  }
  return {
    adapt: (text) => text.replaceAll(S3, endpoint),
    environment: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      AWS_ENDPOINT_URL_S3: endpoint,
    },
    close: async () => undefined,
  };
}
