import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { NoDateError, observeDate } from "./response-date.ts";
import { isMissingObject, isPreconditionFailed } from "./s3-errors.ts";

/** How the server wants an ETag in a condition: as HTTP writes it, or, as Ceph does, without its quotes. */
export type EtagStyle = "quoted" | "unquoted";

/** What a conditional write is conditional on: this ETag, or that there is no object. */
export type WriteCondition = { readonly etag: string } | "absent";

/** What a read found. */
export interface ObjectRead {
  /** `undefined`: there is no object. */
  readonly object: StoredObject | undefined;
  /** The server's time at the answer, in milliseconds. */
  readonly now: number;
}

/** One object as it was read. */
export interface StoredObject {
  readonly text: string;
  /** Without quotes. */
  readonly etag: string;
  /** `Last-Modified`, in milliseconds. */
  readonly writtenAt: number;
}

/** What a conditional write came to. */
export type WriteResult =
  | {
      readonly status: "written";
      /** Without quotes; `undefined` if the server did not say. */
      readonly etag: string | undefined;
      /** The server's time at the answer, in milliseconds; `undefined` if it did not say. */
      readonly now: number | undefined;
    }
  | { readonly status: "refused" };

/** There is something under the key that is far too large to be a document of ours. */
export class OversizedObjectError extends Error {
  override readonly name = "OversizedObjectError";
  readonly etag: string;
  readonly writtenAt: number;
  readonly now: number;

  constructor(bytes: number, { etag, writtenAt, now }: { etag: string; writtenAt: number; now: number }) {
    super(`is ${bytes} bytes long, far too large to be a document of Tidemark`);
    this.etag = etag;
    this.writtenAt = writtenAt;
    this.now = now;
  }
}

/** Thousands of partitions with the largest metadata fit; what is larger is not read into memory. */
const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

/** The few requests that the store makes, with conditions and the server's clock. */
export class S3Objects {
  readonly bucket: string;
  readonly #client: S3Client;
  readonly #etagStyle: EtagStyle;

  constructor(client: S3Client, bucket: string, etagStyle: EtagStyle) {
    this.bucket = bucket;
    this.#client = client;
    this.#etagStyle = etagStyle;
  }

  /** Reads one object. */
  async get(key: string, signal: AbortSignal): Promise<ObjectRead> {
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: key });
    const date = observeDate(command);
    try {
      const answer = await this.#client.send(command, { abortSignal: signal });
      const { Body: body, ContentLength: bytes = 0, ETag, LastModified } = answer;
      if (LastModified === undefined || ETag === undefined) {
        throw new NoDateError("the answer has no Last-Modified or ETag header");
      }
      const [etag, writtenAt] = [bareEtag(ETag), LastModified.getTime()];
      // A clock that lags behind the one that stamped the object must not make it younger than new.
      const now = Math.max(date.required(), writtenAt);
      if (bytes > MAX_OBJECT_BYTES) {
        (body as { destroy?(): void } | undefined)?.destroy?.();
        throw new OversizedObjectError(bytes, { etag, writtenAt, now });
      }
      const text = (await body?.transformToString("utf-8")) ?? "";
      return { object: { text, etag, writtenAt }, now };
    } catch (error) {
      if (!isMissingObject(error)) throw error;
      return { object: undefined, now: date.required() };
    }
  }

  /** Writes an object if the condition holds. An error other than a refusal leaves open whether it was written. */
  async put(key: string, body: string, condition: WriteCondition, signal: AbortSignal): Promise<WriteResult> {
    const command = new PutObjectCommand({
      Bucket: this.bucket,
      Key: key,
      Body: body,
      ContentType: "application/json",
      ...(condition === "absent" ? { IfNoneMatch: "*" } : { IfMatch: this.#inCondition(condition.etag) }),
    });
    const date = observeDate(command);
    try {
      const { ETag } = await this.#client.send(command, { abortSignal: signal });
      return { status: "written", etag: ETag === undefined ? undefined : bareEtag(ETag), now: date.seen() };
    } catch (error) {
      // AWS says 404 where the object of an If-Match is gone.
      if (isPreconditionFailed(error) || isMissingObject(error)) return { status: "refused" };
      throw error;
    }
  }

  /** Removes an object if it still has this ETag, on servers that honour it; `undefined`: whatever it is. */
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
      if (isPreconditionFailed(error) || isMissingObject(error)) return "refused";
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
      yield (page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
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
