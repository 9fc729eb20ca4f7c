import type { ChangeAnswer, WriteAnswer } from "@tidemark/core/driver";
import { type ClientSession, type Collection, type Document, MongoServerError, WriteConcern } from "mongodb";
import { UncertainWriteError } from "./mongo-errors.ts";
import { REMOVED, type StoredDocument } from "./stored-document.ts";
import {
  isUpsert,
  type PlacedChange,
  type StatementOptions,
  takesNothing,
  updateStatements,
} from "./update-statements.ts";

/** The code of an upsert that found a document with another version. */
const DUPLICATE_KEY = 11_000;
/** How many bytes go in one command: a server takes 16 MiB. */
const MAX_COMMAND_BYTES = 16_000_000;
/** More than all that a statement says beside ids, names and the value. */
const STATEMENT_BYTES = 400;

/** What a request goes with. */
export interface RequestOptions {
  /** Ends the wait for a server and for its answer: what its caller has given up is not sent later. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the server itself gives up. */
  readonly maxTimeMS?: number;
  readonly session?: ClientSession;
}

type Found = ReadonlyMap<string, StoredDocument>;

const NOTHING_FOUND: Found = new Map();

/**
 * Sends changes as one unordered `update`. Its answer counts how many matched: if those are all or none, nothing more is
 * asked. Otherwise what is stored shows which. If others wrote over one of them more than once meanwhile, that can no
 * longer be seen, and those that may be it fail as uncertain.
 */
export async function sendChanges(
  collection: Collection<StoredDocument>,
  changes: readonly PlacedChange[],
  options: RequestOptions,
  how: StatementOptions,
): Promise<WriteAnswer> {
  // Always in the order of their ids: two batches that lock the same documents in different orders wait for each other.
  const sorted = changes.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const { counted, failures, isTorn } = await send(collection, sorted, options, how);
  const answers = new Map<PlacedChange, ChangeAnswer>(failures);
  // An upsert that did not fail has matched or inserted.
  const open = changes.filter((each) => !answers.has(each) && !isUpsert(each.change));
  const matched = counted - changes.filter((each) => !answers.has(each) && isUpsert(each.change)).length;
  const isOpen = matched < open.length && (matched > 0 || open.some(({ change }) => takesNothing(change)));
  const isAsked = isOpen || isTorn || (how.isTimed && answers.size < changes.length);
  const found = isAsked ? await find(collection, changes, options) : NOTHING_FOUND;
  if (isTorn) for (const each of answers.keys()) if (isCarriedOut(each, found)) answers.delete(each);
  if (matched < open.length) {
    const unseen = open.filter((each) => !isCarriedOut(each, found));
    const isSure = open.length - unseen.length === matched;
    for (const each of unseen) {
      if (takesNothing(each.change) && isGone(each, found)) continue;
      answers.set(each, isSure ? "conflict" : { status: "failed", error: new UncertainWriteError() });
    }
  }
  const removed = changes.filter((each) => each.change.value === undefined && !answers.has(each));
  if (removed.length > 0) await clear(collection, removed, options);
  return {
    writtenAt: how.isTimed ? timeOf(changes, found) : undefined,
    changes: answers.size === 0 ? undefined : changes.map((each) => answers.get(each) ?? "written"),
  };
}

interface Sent {
  /** How many documents matched or were made. */
  counted: number;
  readonly failures: (readonly [PlacedChange, ChangeAnswer])[];
  /** Whether an update of many failed, perhaps after some of them. */
  isTorn: boolean;
}

/** As a command: a client repeats its `bulkWrite` by itself, and so hides lost answers (contract 4.2e). */
async function send(
  { db, collectionName, writeConcern }: Collection<StoredDocument>,
  changes: readonly PlacedChange[],
  { signal, session, maxTimeMS }: RequestOptions,
  how: StatementOptions,
): Promise<Sent> {
  const sent: Sent = { counted: 0, failures: [], isTorn: false };
  for (const part of partsOf(changes)) {
    const statements = updateStatements(part, how);
    const command: Document = {
      update: collectionName,
      updates: statements.map(({ statement }) => statement),
      ordered: false,
    };
    if (maxTimeMS !== undefined) command["maxTimeMS"] = maxTimeMS;
    // A transaction has its own.
    if (session === undefined && writeConcern !== undefined) WriteConcern.apply(command, writeConcern);
    const { n, writeErrors = [] } = await db.command(command, {
      ...(signal && { signal }),
      ...(session && { session }),
    });
    sent.counted += Number(n);
    for (const failure of writeErrors as Document[]) {
      const { index, code, errmsg } = failure;
      const error = new MongoServerError({ ...failure, message: String(errmsg) });
      // Inside a caller's transaction errors pass as they are: any of them has ended it.
      if (session !== undefined) throw error;
      const failed = statements[Number(index)]?.changes ?? [];
      const answer: ChangeAnswer = code === DUPLICATE_KEY ? "conflict" : { status: "failed", error };
      for (const each of failed) sent.failures.push([each, answer]);
      sent.isTorn ||= failed.length > 1;
    }
  }
  return sent;
}

/** As a rule one part. */
function partsOf(changes: readonly PlacedChange[]): PlacedChange[][] {
  const parts: PlacedChange[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const each of changes) {
    // The id is ASCII, and has in it the names that go beside it.
    const own = 3 * each.id.length + Buffer.byteLength(each.change.value ?? "") + STATEMENT_BYTES;
    bytes += own;
    if (bytes > MAX_COMMAND_BYTES) {
      parts.push([]);
      bytes = own;
    }
    parts.at(-1)?.push(each);
  }
  return parts;
}

async function find(
  collection: Collection<StoredDocument>,
  changes: readonly PlacedChange[],
  options: RequestOptions,
): Promise<Found> {
  const filter = { _id: { $in: changes.map(({ id }) => id) } };
  const projection = { version: 1, previous: 1, removedBy: 1, writtenAt: 1 };
  const documents = await collection.find(filter, { ...options, projection, batchSize: changes.length + 1 }).toArray();
  return new Map(documents.map((document) => [document["_id"], document]));
}

function isCarriedOut({ id, change: { version } }: PlacedChange, found: Found): boolean {
  const document = found.get(id);
  return document?.version === version || document?.previous === version || document?.removedBy === version;
}

function isGone({ id }: PlacedChange, found: Found): boolean {
  const version = found.get(id)?.version;
  return version === undefined ? !found.has(id) : version === REMOVED;
}

/** Deletes what is removed. It counts for nothing already, and if this fails the TTL index does it. */
async function clear(
  collection: Collection<StoredDocument>,
  removed: readonly PlacedChange[],
  options: RequestOptions,
): Promise<void> {
  const versions = [...new Set(removed.map(({ change }) => change.version))];
  const filter = { _id: { $in: removed.map(({ id }) => id) }, removedBy: { $in: versions } };
  try {
    await collection.deleteMany(filter, options);
  } catch (error) {
    if (options.session !== undefined) throw error;
  }
}

/** The time with which the changes were stamped, if one is to be seen. */
function timeOf(changes: readonly PlacedChange[], found: Found): number | undefined {
  const written = changes.filter(({ id, change }) => found.get(id)?.version === change.version);
  const times = new Set(written.map(({ id }) => found.get(id)?.writtenAt?.getTime()));
  const [time] = times;
  return times.size === 1 ? time : undefined;
}
