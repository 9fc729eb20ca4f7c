import type { ClientSession, Collection, Document } from "mongodb";
import { MongoBulkWriteError } from "mongodb";
import { isRefusalMessage } from "./update-pipelines.ts";
import type { StoredDocument } from "./stored-document.ts";

/** The code of a write that lost the race for an `_id` that was not there. */
const DUPLICATE_KEY = 11_000;

/** One update of one document by a pipeline that refuses by failing. */
export interface GuardedWrite {
  readonly id: string;
  readonly pipeline: Document[];
}

/** What became of one write. An `error` is not the refusal but some other failure of this write alone. */
export type GuardedWriteResult =
  | { readonly status: "written" }
  | { readonly status: "refused" }
  | { readonly status: "failed"; readonly error: unknown };

/** What a request goes with. */
export interface RequestOptions {
  /**
   * Ends the wait for a server and for its answer. The driver's types have it for reads only, and its writes heed it as
   * well: what its caller has given up is not sent later.
   */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the server itself gives up. */
  readonly maxTimeMS?: number;
  readonly session?: ClientSession;
}

/**
 * Sends writes as one unordered `bulkWrite` and tells for each whether it is written. Throws what is about all of them:
 * then each may or may not be written.
 */
export async function writeGuarded(
  collection: Collection<StoredDocument>,
  writes: readonly GuardedWrite[],
  options: RequestOptions,
): Promise<GuardedWriteResult[]> {
  const results: GuardedWriteResult[] = writes.map(() => ({ status: "written" }));
  // Always in the order of their keys: two batches that lock the same documents in different orders wait for each other.
  const sent = [...writes.entries()].toSorted(([, one], [, other]) => (one.id < other.id ? -1 : 1));
  try {
    await collection.bulkWrite(
      // An upsert, so that the pipeline runs, and refuses, also where there is no document.
      sent.map(([, { id, pipeline }]) => ({
        updateOne: { filter: { _id: id }, update: pipeline, upsert: true },
      })),
      { ...options, ordered: false },
    );
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const failures = [error.writeErrors].flat();
    // Written but not acknowledged as the write concern asks, or not answered at all.
    if (failures.length === 0 || error.result.getWriteConcernError() !== undefined) throw error;
    for (const failure of failures) {
      const place = sent[failure.index]?.[0];
      if (place === undefined) throw error;
      results[place] =
        failure.code === DUPLICATE_KEY || isRefusalMessage(failure.errmsg ?? "")
          ? { status: "refused" }
          : { status: "failed", error: failure };
    }
  }
  return results;
}
