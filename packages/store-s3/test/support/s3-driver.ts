import type { Change, DriverKey, OffsetStoreDriver, ReadEntry } from "@tidemark/core/driver";
import type { S3Client } from "@aws-sdk/client-s3";
import { randomBytes } from "node:crypto";
import { ObjectKeys } from "../../src/object-keys.ts";
import { S3Driver } from "../../src/s3-driver.ts";
import { S3Objects } from "../../src/s3-objects.ts";

/** The namespace in which drivers of tests work, and the store's default. */
const NAMESPACE = "tidemark";

/** A driver without a store around it, on a server that wants ETags quoted and ignores conditions of DELETE. */
export function driverOn(client: S3Client, bucket: string): OffsetStoreDriver {
  const objects = new S3Objects(client, bucket, "quoted");
  const keys = new ObjectKeys("", NAMESPACE);
  return new S3Driver({ objects, keys, removesConditionally: false, release: () => undefined });
}

/** A change that expects nothing in particular, unless told otherwise. */
export function change(key: DriverKey, more: Partial<Change> = {}): Change {
  return { key, expected: "any", value: '{"v":1}', version: newVersion(), reclaimAfter: undefined, ...more };
}

/** A version as core makes them. */
export function newVersion(): string {
  return randomBytes(9).toString("base64url");
}

/** What is stored under a key. */
export async function readOne(driver: OffsetStoreDriver, key: DriverKey): Promise<ReadEntry> {
  const { entries } = await driver.read([key], { signal: never() });
  return entries[0];
}

/** A signal that nobody aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}
