import { randomBytes } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import { backoffMs, delay } from "@tidemark/core/driver";
import type { ObjectKeys } from "./object-keys.ts";
import { isTransient, statusOf, UnsupportedServerError } from "./s3-errors.ts";
import { type EtagStyle, S3Objects, type WriteCondition, type WrittenObject } from "./s3-objects.ts";

/** How a server understands conditions. */
export interface ServerTraits {
  readonly etagStyle: EtagStyle;
  /** Whether `If-Match` on DELETE is honoured. */
  readonly removesConditionally: boolean;
}

/** How long answers are waited for. */
export interface Waiting {
  readonly signal: AbortSignal;
  /** The server has answered: the next answer may take as long again. */
  readonly answered: () => void;
}

/** The ETag of nothing that anybody would store. */
const FOREIGN_ETAG = "00000000000000000000000000000000";
const ADVICE = "the store cannot fence sessions on it; use a server with conditional writes, or another store";

/**
 * Finds out whether the server carries out conditional writes, on an object of its own that is removed afterwards: many
 * servers accept the headers and overwrite all the same. Six or seven requests. They use all that the store needs
 * but listing, so that a missing permission shows at once.
 */
export async function probeServer(
  client: S3Client,
  bucket: string,
  keys: ObjectKeys,
  waiting: Waiting,
): Promise<ServerTraits> {
  const { signal } = waiting;
  const quoted = new S3Objects(client, bucket, "quoted");
  const key = keys.probeKey(randomBytes(12).toString("base64url"));
  // First of all a read: of what is not there. Without s3:ListBucket AWS would call it denied, and so would every fetch.
  await patiently(waiting, () => quoted.get(key, signal));
  try {
    const etag = await patiently(waiting, () => create(quoted, key, signal));
    await mustRefuse(quoted, key, "absent", "If-None-Match: *", waiting);
    await mustRefuse(quoted, key, { etag: FOREIGN_ETAG }, "If-Match", waiting);
    return await understandEtags(client, quoted, key, etag, waiting);
  } catch (error) {
    // What the probe leaves behind does no harm, but tidy is better.
    await quoted.remove(key, undefined, signal).catch(() => undefined);
    throw error;
  }
}

async function create(objects: S3Objects, key: string, signal: AbortSignal): Promise<string> {
  const created = await conditional(objects, key, "absent", signal);
  if (created !== undefined) return created.etag;
  // A client that repeats requests by itself is refused what it has just written.
  const { object } = await objects.get(key, signal);
  if (object === undefined)
    throw new UnsupportedServerError(`the server rejects a conditional write of a new object: ${ADVICE}`);
  return object.etag;
}

async function mustRefuse(
  objects: S3Objects,
  key: string,
  condition: WriteCondition,
  header: string,
  waiting: Waiting,
): Promise<void> {
  const written = await patiently(waiting, () => conditional(objects, key, condition, waiting.signal));
  if (written !== undefined) throw new UnsupportedServerError(`the server ignores ${header} on PUT: ${ADVICE}`);
}

async function understandEtags(
  client: S3Client,
  quoted: S3Objects,
  key: string,
  etag: string,
  waiting: Waiting,
): Promise<ServerTraits> {
  const { signal } = waiting;
  for (const etagStyle of ["quoted", "unquoted"] as const) {
    const objects = etagStyle === "quoted" ? quoted : new S3Objects(client, quoted.bucket, etagStyle);
    const written = await patiently(waiting, () => conditional(objects, key, { etag }, signal));
    if (written === undefined) continue;
    // Either the condition is honoured and the object stays, or it is gone, as it should be anyway.
    const removesConditionally = (await objects.remove(key, FOREIGN_ETAG, signal)) === "refused";
    if (removesConditionally) await objects.remove(key, undefined, signal);
    return { etagStyle, removesConditionally };
  }
  throw new UnsupportedServerError(`the server rejects If-Match with the ETag that it returned: ${ADVICE}`);
}

async function conditional(
  objects: S3Objects,
  key: string,
  condition: WriteCondition,
  signal: AbortSignal,
): Promise<WrittenObject | undefined> {
  try {
    return await objects.put(key, "{}", condition, signal);
  } catch (error) {
    if (statusOf(error) !== 501) throw error;
    throw new UnsupportedServerError(`the server does not implement conditional writes: ${ADVICE}`);
  }
}

async function patiently<Result>({ signal, answered }: Waiting, request: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await request();
      answered();
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (attempt > 2 || !isTransient(error)) throw error;
      await delay(backoffMs(attempt, 20, 500), signal);
    }
  }
}
