import type { Change, ChangeAnswer, WriteAnswer } from "@tidemark/core/driver";
import { type ClientSession, type Collection, MongoBulkWriteError } from "mongodb";
import { UncertainWriteError } from "./mongo-errors.ts";
import { filterOf, isUpsert, type StoredDocument, updateOf } from "./stored-document.ts";

/** The code of an upsert that found a document with another version. */
const DUPLICATE_KEY = 11_000;
/** How many single deletions are on their way at once. */
const REMOVALS_AT_ONCE = 32;

/** A change and the `_id` of its document. */
export interface PlacedChange {
  readonly id: string;
  readonly change: Change;
}

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
 * Sends changes that store something, as one unordered `bulkWrite`. Its answer counts how many matched: if those are all or
 * none, nothing more is asked. Otherwise what is stored tells which. If somebody has written over one of them meanwhile, that
 * can no longer be told, and those that may be it fail as uncertain.
 */
export async function sendUpdates(
  collection: Collection<StoredDocument>,
  namespace: string,
  changes: readonly PlacedChange[],
  options: RequestOptions,
  isTimed: boolean,
): Promise<WriteAnswer> {
  // Always in the order of their ids: two batches that lock the same documents in different orders wait for each other.
  const sent = changes.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const operations = sent.map(({ id, change }) => updateOf(id, namespace, change, isTimed));
  const answers = new Map<PlacedChange, ChangeAnswer>();
  let result;
  try {
    result = await collection.bulkWrite(operations, { ...options, ordered: false });
  } catch (error) {
    // Inside a caller's transaction errors pass as they are: any of them has ended it.
    if (!(error instanceof MongoBulkWriteError) || options.session !== undefined) throw error;
    const failures = [error.writeErrors].flat();
    // Written but not acknowledged as the write concern asks, or not answered at all.
    if (failures.length === 0 || error.result.getWriteConcernError() !== undefined) throw error;
    for (const failure of failures) {
      const failed = sent[failure.index];
      if (failed === undefined) throw error;
      answers.set(failed, failure.code === DUPLICATE_KEY ? "conflict" : { status: "failed", error: failure });
    }
    result = error.result;
  }
  // An upsert that did not fail has matched or inserted.
  const upserts = sent.filter((each) => isUpsert(each.change) && !answers.has(each)).length;
  const open = sent.filter((each) => !isUpsert(each.change) && !answers.has(each));
  const matched = result.matchedCount + result.upsertedCount - upserts;
  if (matched === open.length && answers.size === 0 && !isTimed) return { changes: undefined };
  if (matched === 0) for (const each of open) answers.set(each, "conflict");
  const isOpen = matched > 0 && matched < open.length;
  const isAsked = isOpen || (isTimed && answers.size < sent.length);
  const written = isAsked ? await findWritten(collection, sent, options) : new Map<string, number>();
  if (isOpen) {
    const unseen = open.filter(({ id }) => !written.has(id));
    const answer: ChangeAnswer =
      open.length - unseen.length === matched ? "conflict" : { status: "failed", error: new UncertainWriteError() };
    for (const each of unseen) answers.set(each, answer);
  }
  const [time, ...others] = new Set(written.values());
  return {
    writtenAt: isTimed && others.length === 0 ? time : undefined,
    changes: answers.size === 0 ? undefined : changes.map((each) => answers.get(each) ?? "written"),
  };
}

/** Those documents that are as the changes wrote them, with the times. */
async function findWritten(
  collection: Collection<StoredDocument>,
  changes: readonly PlacedChange[],
  options: RequestOptions,
): Promise<Map<string, number>> {
  const filter = { _id: { $in: changes.map(({ id }) => id) } };
  const found = collection.find(filter, { ...options, projection: { version: 1, writtenAt: 1 } });
  const versions = new Map(changes.map(({ id, change }) => [id, change.version]));
  const written = new Map<string, number>();
  for (const { _id, version, writtenAt } of await found.toArray()) {
    if (versions.get(_id) === version) written.set(_id, writtenAt.getTime());
  }
  return written;
}

/**
 * Sends changes that remove something, each as a command of its own: of several in one command only their number would be
 * told, and nothing is left to see which of them it were.
 */
export async function sendRemovals(
  collection: Collection<StoredDocument>,
  changes: readonly PlacedChange[],
  options: RequestOptions,
): Promise<ChangeAnswer[]> {
  const answers: ChangeAnswer[] = Array.from({ length: changes.length });
  const left = changes.entries();
  const removeNext = async (): Promise<void> => {
    for (const [at, { id, change }] of left) {
      try {
        answers[at] = await remove(collection, id, change, options);
      } catch (error) {
        answers[at] = { status: "failed", error };
      }
    }
  };
  // A session carries one command at a time.
  const atOnce = options.session === undefined ? REMOVALS_AT_ONCE : 1;
  await Promise.all(Array.from({ length: Math.min(atOnce, changes.length) }, removeNext));
  return answers;
}

async function remove(
  collection: Collection<StoredDocument>,
  id: string,
  change: Change,
  options: RequestOptions,
): Promise<ChangeAnswer> {
  const { deletedCount } = await collection.deleteOne(filterOf(id, change), options);
  if (deletedCount > 0) return "written";
  if (!isUpsert(change)) return "conflict";
  const other = await collection.findOne({ _id: id }, { ...options, projection: { _id: 1 } });
  return other === null ? "written" : "conflict";
}
