import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { ForeignAnswerError, isMissingObject, isRefused } from "./s3-errors.ts";
import { ServerClock } from "./server-clock.ts";

/** How the server wants an ETag in a condition: as HTTP writes it, or, as Ceph does, without its quotes. */
export type EtagStyle = "quoted" | "unquoted";

/** What a write is conditional on: this ETag, that there is no object, or nothing. */
export type WriteCondition = { readonly etag: string } | "absent" | "none";

/** What a read found. */
export interface ObjectRead {
  /** `undefined`: there is no object. */
  readonly object: FoundObject | undefined;
  /** A time that has passed, in milliseconds of the server's clock. */
  readonly now: number;
  /** By how much that may be later than the server's look at the object, at most. */
  readonly slackMs: number;
}

/** One object as it was read. */
export interface FoundObject {
  /** `undefined`: it is larger than anything that is written here, and was not read. */
  readonly text: string | undefined;
  readonly bytes: number;
  /** Without quotes. */
  readonly etag: string;
  /** `Last-Modified`, in milliseconds. */
  readonly writtenAt: number;
}

/** What a successful write is known by. */
export interface WrittenObject {
  /** Without quotes. */
  readonly etag: string;
  /** The server's time at the answer, in milliseconds: not before the object's `Last-Modified`. */
  readonly writtenAt: number;
  /** As in a read. */
  readonly now: number;
}

/** The most bytes of an object, written or read: tens of thousands of partitions, or ten thousand with the largest metadata. */
export const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

/** The few requests that the store makes, with conditions and the server's clock. */
export class S3Objects {
  readonly bucket: string;
  readonly #client: S3Client;
  readonly #etagStyle: EtagStyle;
  readonly #clock = new ServerClock();

  constructor(client: S3Client, bucket: string, etagStyle: EtagStyle) {
    this.bucket = bucket;
    this.#client = client;
    this.#etagStyle = etagStyle;
  }

  /** Reads one object. */
  async get(key: string, signal: AbortSignal): Promise<ObjectRead> {
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: key });
    const time = this.#clock.observe(command);
    try {
      const answer = await this.#client.send(command, { abortSignal: signal });
      const { Body: body, ContentLength: bytes = 0, ETag, LastModified } = answer;
      if (LastModified === undefined || ETag === undefined) {
        throw new ForeignAnswerError("an object without Last-Modified or ETag");
      }
      const known = { bytes, etag: bareEtag(ETag), writtenAt: LastModified.getTime() };
      const now = time.now(known.writtenAt);
      if (bytes > MAX_OBJECT_BYTES) {
        (body as { destroy?(): void } | undefined)?.destroy?.();
        return { object: { ...known, text: undefined }, now, slackMs: time.slackMs() };
      }
      const text = (await body?.transformToString("utf-8")) ?? "";
      return { object: { ...known, text }, now, slackMs: time.slackMs() };
    } catch (error) {
      if (!isMissingObject(error)) throw error;
      return { object: undefined, now: time.now(), slackMs: 0 };
    }
  }

  /**
   * Writes an object if the condition holds; `undefined`: it did not, and nothing is written. An error leaves open whether
   * it was written.
   */
  async put(
    key: string,
    body: Uint8Array | string,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WrittenObject | undefined> {
    const command = new PutObjectCommand({
      Bucket: this.bucket,
      Key: key,
      Body: body,
      ContentType: "application/x-ndjson",
      ...(condition === "absent" && { IfNoneMatch: "*" }),
      ...(typeof condition === "object" && { IfMatch: this.#inCondition(condition.etag) }),
    });
    const time = this.#clock.observe(command);
    try {
      const { ETag } = await this.#client.send(command, { abortSignal: signal });
      const writtenAt = time.writtenAt();
      if (ETag === undefined || writtenAt === undefined) {
        throw new ForeignAnswerError("a write without ETag or Date");
      }
      return { etag: bareEtag(ETag), writtenAt, now: time.now() };
    } catch (error) {
      // AWS says NoSuchKey where the object of an If-Match is gone.
      if (condition !== "none" && (isRefused(error) || isMissingObject(error))) return undefined;
      throw error;
    }
  }

  /** Removes an object if it still has this ETag, on servers that honour it; `undefined`: in any state. */
  async remove(key: string, etag: string | undefined, signal: AbortSignal): Promise<"removed" | "refused"> {
    const command = new DeleteObjectCommand({
      Bucket: this.bucket,
      Key: key,
      ...(etag !== undefined && { IfMatch: this.#inCondition(etag) }),
    });
    try {
      await this.#client.send(command, { abortSignal: signal });
      return "removed";
    } catch (error) {
      if (etag !== undefined && (isRefused(error) || isMissingObject(error))) return "refused";
      if (isMissingObject(error)) return "removed";
      throw error;
    }
  }

  /** The keys that begin with a prefix, a page at a time. */
  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<readonly string[], void, undefined> {
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix, ContinuationToken: token }),
        { abortSignal: signal },
      );
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (page.Name === undefined || (page.IsTruncated === true && token === undefined)) {
        throw new ForeignAnswerError("a listing without its bucket, or without its end");
      }
      yield (page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
    } while (token !== undefined);
  }

  #inCondition(etag: string): string {
    return this.#etagStyle === "quoted" ? `"${etag}"` : etag;
  }
}

/** Proxies that compress mark an ETag as weak, and a weak one never matches. */
function bareEtag(etag: string): string {
  return etag.replace(/^W\//u, "").replaceAll('"', "");
}
