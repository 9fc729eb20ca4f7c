import { UnreadableRecordError } from "@tidemark/core/driver";
import { type Entries, NewerDocumentError, parse } from "./offsets-document.ts";
import { MAX_OBJECT_BYTES, type S3Objects } from "./s3-objects.ts";

/** What is known of one object at one moment. */
export interface ObjectState {
  /** `undefined`: there is no object. */
  readonly etag: string | undefined;
  readonly bytes: number;
  /** The object's `Last-Modified`, in milliseconds; of one's own write a time that is not earlier. */
  readonly writtenAt: number;
  /** A time that had passed when this was so, in milliseconds of the server's clock. */
  readonly now: number;
  readonly entries: Entries;
  /** Why the object as a whole cannot be read. */
  readonly damage: UnreadableRecordError | NewerDocumentError | undefined;
}

/** No object, as long as nobody has looked. */
export const NO_OBJECT: ObjectState = Object.freeze({
  etag: undefined,
  bytes: 0,
  writtenAt: 0,
  now: 0,
  entries: new Map<never, never>(),
  damage: undefined,
});

/** Reads an object. */
export async function readState(objects: S3Objects, key: string, signal: AbortSignal): Promise<ObjectState> {
  const { object, now } = await objects.get(key, signal);
  if (object === undefined) return { ...NO_OBJECT, now };
  const { text, bytes, etag, writtenAt } = object;
  const state = { ...NO_OBJECT, etag, bytes, writtenAt, now };
  if (text === undefined) {
    const why = `the object ${JSON.stringify(key)} has ${bytes} bytes, and none of Tidemark's more than ${MAX_OBJECT_BYTES}`;
    return { ...state, damage: new UnreadableRecordError(why) };
  }
  try {
    return { ...state, entries: await parse(text, writtenAt, key) };
  } catch (error) {
    if (error instanceof UnreadableRecordError || error instanceof NewerDocumentError)
      return { ...state, damage: error };
    throw error;
  }
}
