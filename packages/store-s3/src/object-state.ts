import { UnreadableRecordError } from "@tidemark/core/driver";
import { isReclaimable, NewerDocumentError, type OffsetsDocument, parse } from "./offsets-document.ts";
import { MAX_OBJECT_BYTES, type ObjectRead, type S3Objects } from "./s3-objects.ts";

/** What is known of one object at one moment. */
export interface ObjectState extends OffsetsDocument {
  /** `undefined`: there is no object. */
  readonly etag: string | undefined;
  readonly bytes: number;
  /** The object's `Last-Modified`, in milliseconds; of one's own write a time that is not earlier. */
  readonly writtenAt: number;
  /** A time that had passed when this was so, in milliseconds of the server's clock. */
  readonly now: number;
  /** Why the object as a whole cannot be read. */
  readonly damage: UnreadableRecordError | NewerDocumentError | undefined;
}

/** Reads an object. */
export async function readState(objects: S3Objects, key: string, signal: AbortSignal): Promise<ObjectState> {
  const read = await objects.get(key, signal);
  const state = await stateOf(key, read);
  const { now } = state;
  const isInDoubt = state.entries.values().some((entry) => {
    return isReclaimable(entry, now) && !isReclaimable(entry, now - read.slackMs);
  });
  // What ran out while the server answered may have been renewed in time. Of what is read now the time has surely passed.
  return isInDoubt ? { ...(await stateOf(key, await objects.get(key, signal))), now } : state;
}

async function stateOf(key: string, { object, now }: ObjectRead): Promise<ObjectState> {
  const entries = new Map<never, never>();
  const nothing = { etag: undefined, bytes: 0, writtenAt: 0, now, writes: [], entries, damage: undefined };
  if (object === undefined) return nothing;
  const { text, bytes, etag, writtenAt } = object;
  const state = { ...nothing, etag, bytes, writtenAt };
  if (text === undefined) {
    const why = `the object ${JSON.stringify(key)} has ${bytes} bytes, and a Tidemark object has at most ${MAX_OBJECT_BYTES}`;
    return { ...state, damage: new UnreadableRecordError(why) };
  }
  try {
    return { ...state, ...(await parse(text, writtenAt, key)) };
  } catch (error) {
    if (error instanceof UnreadableRecordError || error instanceof NewerDocumentError)
      return { ...state, damage: error };
    throw error;
  }
}
