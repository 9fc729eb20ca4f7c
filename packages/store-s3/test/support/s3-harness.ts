import { GetObjectCommand, NoSuchKey, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import type { OffsetKey } from "@tidemark/core";
import {
  connectionFaults,
  type OpenedStore,
  type OpenStoreOptions,
  openTcpProxy,
  type StoreHarness,
} from "@tidemark/core/conformance";
import type { S3Access } from "@tidemark/test-support/servers";
import { openS3Store } from "../../src/index.ts";
import { ObjectKeys } from "../../src/object-keys.ts";
import { s3Client } from "./s3-servers.ts";

/** What the kit runs on. */
export interface S3HarnessOptions {
  readonly access: S3Access;
  /** The bucket of the run; cases keep apart by namespace. */
  readonly bucket: string;
  /** Past the store. */
  readonly admin: S3Client;
}

const BUSY_TIMEOUT_MS = 60_000;
const PREFIX = "kit";

/** The kit's harness on a server: each client reaches it through a connection with faults to order. */
export function s3Harness({ access, bucket, admin }: S3HarnessOptions): Pick<StoreHarness, "open"> {
  return { open };

  async function open({ namespace, timeout, onEvent }: OpenStoreOptions): Promise<OpenedStore> {
    const { hostname: host, port } = new URL(access.endpoint);
    const proxy = await openTcpProxy({ host, port: Number(port) });
    const client = s3Client({ ...access, endpoint: `http://127.0.0.1:${proxy.port}` });
    // The store's own default is for one object's writers; here many cases press one small server at the same time.
    const options = { namespace, timeout: timeout ?? BUSY_TIMEOUT_MS, onEvent };
    const store = await openS3Store({ bucket, prefix: PREFIX, client, ...options });
    const keys = new ObjectKeys(PREFIX, namespace);
    const close = async (): Promise<void> => {
      await store.close();
      client.destroy();
      await proxy.close();
    };
    return {
      store,
      close,
      async reopen() {
        await close();
        return open({ namespace, ...(timeout !== undefined && { timeout }) });
      },
      async peek(key) {
        return (await read(keys.keyOf(key)))?.some((line) => isOf(line, key)) === true;
      },
      corrupt: (key) => corrupt(keys, key),
      async makeUnreadable(key) {
        const lines = await read(keys.keyOf(key));
        if (lines === undefined) throw new Error("there is no object to damage");
        await write(keys.keyOf(key), ["<html>not an object of Tidemark's</html>"]);
        return () => write(keys.keyOf(key), lines);
      },
      ...connectionFaults(proxy),
    };
  }

  async function corrupt(keys: ObjectKeys, key: OffsetKey): Promise<void> {
    const lines = await read(keys.keyOf(key));
    if (lines?.some((line) => isOf(line, key)) !== true) throw new Error("there is no record to damage");
    const damaged = `{"partition":${key.partition},"version":"by-hand","record":{"v":1,"nextOffset":-7}}`;
    await write(
      keys.keyOf(key),
      lines.map((line) => (isOf(line, key) ? damaged : line)),
    );
  }

  async function read(key: string): Promise<string[] | undefined> {
    try {
      const { Body: body } = await admin.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return (await body?.transformToString())?.split("\n");
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }

  async function write(key: string, lines: readonly string[]): Promise<void> {
    await admin.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: lines.join("\n") }));
  }
}

function isOf(line: string, { partition }: OffsetKey): boolean {
  return line.startsWith(`{"partition":${partition},`);
}
