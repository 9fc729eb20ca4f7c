import { NewerDocumentError, parseDocument, type PartitionEntry, UnreadableDocumentError } from "./offsets-document.ts";
import { type ObjectRead, OversizedObjectError, type S3Objects } from "./s3-objects.ts";

/** What is known of one group's object at one moment. */
export interface GroupSnapshot {
  /** Without quotes; `undefined`: there is no object. */
  readonly etag: string | undefined;
  /** When the object was written, in milliseconds of the server's clock. Of one's own write: not earlier than that. */
  readonly writtenAt: number;
  /** The server's time when this was so, in milliseconds. It is later now. */
  readonly now: number;
  readonly writes: readonly string[];
  readonly partitions: ReadonlyMap<number, PartitionEntry>;
  /** Why the object as a whole cannot be read. */
  readonly damage: UnreadableDocumentError | NewerDocumentError | undefined;
}

/** Reads a group's object. */
export async function readSnapshot(objects: S3Objects, key: string, signal: AbortSignal): Promise<GroupSnapshot> {
  let read: ObjectRead;
  try {
    read = await objects.get(key, signal);
  } catch (error) {
    if (!(error instanceof OversizedObjectError)) throw error;
    const { etag, writtenAt, now } = error;
    return { etag, writtenAt, now, writes: [], partitions: new Map(), damage: damageOf(key, error) };
  }
  const { object, now } = read;
  if (object === undefined) {
    return { etag: undefined, writtenAt: now, now, writes: [], partitions: new Map(), damage: undefined };
  }
  const { etag, writtenAt } = object;
  try {
    return { etag, writtenAt, now, ...parseDocument(object.text, writtenAt), damage: undefined };
  } catch (error) {
    return { etag, writtenAt, now, writes: [], partitions: new Map(), damage: damageOf(key, error) };
  }
}

function damageOf(key: string, error: unknown): UnreadableDocumentError | NewerDocumentError {
  const text = `the object ${JSON.stringify(key)} ${error instanceof Error ? error.message : "is unreadable"}`;
  return error instanceof NewerDocumentError ? new NewerDocumentError(text) : new UnreadableDocumentError(text);
}
