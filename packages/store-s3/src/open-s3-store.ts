import { S3Client } from "@aws-sdk/client-s3";
import type { OffsetStore } from "@tidemark/core";
import {
  createOffsetStore,
  type OffsetStoreOptions,
  openDriver,
  resolveStoreOptions,
  validateOptionNames,
} from "@tidemark/core/driver";
import { ObjectKeys } from "./object-keys.ts";
import { probeServer } from "./probe-server.ts";
import { S3Driver } from "./s3-driver.ts";
import { classifyS3Error } from "./s3-errors.ts";
import { S3Objects } from "./s3-objects.ts";

/** What an S3 store is opened with: the caller's own client, or what a client is made from. */
export interface S3StoreOptions extends OffsetStoreOptions {
  /** The bucket. It must exist. */
  readonly bucket: string;
  /** The beginning of the keys of all objects, without a slash at the end, for example `"tidemark"`. Default: none. */
  readonly prefix?: string | undefined;
  /** Your own client, which is neither changed nor closed. Without it the store makes one from the options below. */
  readonly client?: S3Client | undefined;
  /**
   * The address of the server, for example `"http://127.0.0.1:9000"`. Default: Amazon's, or the one in the environment.
   */
  readonly endpoint?: string | undefined;
  /** The bucket's region. Default: the one in the environment or profile, and with `endpoint` `"us-east-1"`. */
  readonly region?: string | undefined;
  /** Puts the bucket into the path instead of the host's name, as most servers other than Amazon's want it. Default: false. */
  readonly forcePathStyle?: boolean | undefined;
}

/**
 * Opens a store in a bucket of S3, or of a server with S3's conditional writes. It makes sure of them first, with six or
 * seven requests on an object of its own. Credentials come from the SDK's own chain: environment, profile, role.
 *
 * Rejects with `TypeError` or `RangeError` if an option makes no sense, and otherwise with an `OffsetStoreError`:
 * `UNSUPPORTED` (the server ignores conditions or has none), `PERMISSION_DENIED`, `UNAVAILABLE` (no such bucket, another
 * region, not to be reached) or `TIMEOUT`.
 */
export async function openS3Store(options: S3StoreOptions): Promise<OffsetStore> {
  validateOptionNames(options, ["bucket", "prefix", "client", "endpoint", "region", "forcePathStyle"]);
  const { namespace, timeout } = resolveStoreOptions(options);
  const { bucket, prefix = "" } = options;
  if (typeof bucket !== "string" || bucket === "") throw new TypeError("bucket must be the name of a bucket");
  if (bucket.includes("/") && !bucket.startsWith("arn:"))
    throw new TypeError("bucket must be the name alone, without s3://; give what follows the slash as prefix");
  const keys = new ObjectKeys(prefix, namespace);
  const own = options.client === undefined ? makeClient(options) : undefined;
  const client = own ?? checkedClient(options);
  const release = (): void => own?.destroy();
  const message = `no answer for bucket ${JSON.stringify(bucket)} within ${timeout} ms; check the endpoint, or try again`;
  const opening = {
    ...{ store: "s3", timeout, release },
    classify: (error: unknown) => classifyS3Error(error, bucket),
    whenLate: () => ({ code: "TIMEOUT", retryable: true, message }) as const,
  };
  const driver = await openDriver(opening, async (signal, answered) => {
    const { etagStyle, removesConditionally } = await probeServer(client, bucket, keys, { signal, answered });
    return new S3Driver({ objects: new S3Objects(client, bucket, etagStyle), keys, removesConditionally, release });
  });
  return createOffsetStore(driver, options);
}

function makeClient({ endpoint, region, forcePathStyle = false }: S3StoreOptions): S3Client {
  if (endpoint !== undefined && !isHttpUrl(endpoint)) {
    throw new TypeError('endpoint must be a URL such as "http://127.0.0.1:9000", without user and password');
  }
  if (region !== undefined && (typeof region !== "string" || region === "")) {
    throw new TypeError('region must be a name such as "eu-central-1"');
  }
  if (typeof forcePathStyle !== "boolean") throw new TypeError("forcePathStyle must be a boolean");
  // With an endpoint the region is mostly a word in the signature, but the SDK asks for one.
  const chosen = region ?? (endpoint === undefined || process.env["AWS_REGION"] ? undefined : "us-east-1");
  return new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...(chosen !== undefined && { region: chosen }),
    forcePathStyle,
    // The store itself knows what may be repeated, and how to find out whether a write arrived.
    maxAttempts: 1,
    // Not all servers understand the newer checksums; the signature covers the body.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

function checkedClient({ client, endpoint, region, forcePathStyle }: S3StoreOptions): S3Client {
  if (endpoint !== undefined || region !== undefined || forcePathStyle !== undefined) {
    throw new TypeError("endpoint, region and forcePathStyle cannot be combined with client: set them on the client");
  }
  if (typeof (client as Partial<S3Client> | null | undefined)?.send !== "function") {
    throw new TypeError("client must be an S3Client of @aws-sdk/client-s3");
  }
  return client as S3Client;
}

function isHttpUrl(endpoint: unknown): boolean {
  const url = typeof endpoint === "string" ? URL.parse(endpoint) : null;
  return url !== null && /^https?:$/u.test(url.protocol) && url.username === "" && url.password === "";
}
