import {
  type Collection,
  type IndexDescription,
  type IndexDescriptionInfo,
  MongoBulkWriteError,
  MongoServerError,
} from "mongodb";
import { isRefusalMessage, probePipeline, VISIBLE_FILTER } from "./update-pipelines.ts";
import { recordIdRange } from "./record-id.ts";
import { UnsupportedServerError } from "./mongo-errors.ts";
import type { StoredDocument } from "./stored-document.ts";

const UNAUTHORIZED = 13;
const INDEX_OPTIONS_CONFLICT = 85;
const INDEX_KEY_SPECS_CONFLICT = 86;

/** What the store's queries and the server's own sweep need. All else goes by `_id`. */
const INDEXES: readonly IndexDescription[] = [
  // Expired records go away with nobody reading. Partial, so that what never expires is in no index of its own.
  {
    key: { expiresAt: 1 },
    name: "tidemark_expiry",
    expireAfterSeconds: 0,
    partialFilterExpression: { expiresAt: { $type: "date" } },
  },
  // Listing and deleting by topic alone; `_id` begins with namespace and consumer.
  { key: { namespace: 1, topic: 1, _id: 1 }, name: "tidemark_topic" },
];

/** What was found when preparing. */
export interface PreparedCollection {
  /** What the operator should know, as sentences. */
  readonly warnings: readonly string[];
}

/** Checks what the server can do and what the collection is, and makes the indexes that are missing. Throws raw errors. */
export async function prepareCollection(
  collection: Collection<StoredDocument>,
  signal: AbortSignal,
): Promise<PreparedCollection> {
  await checkCollection(collection, signal);
  const warnings = await ensureIndexes(collection);
  await probe(collection, signal);
  return { warnings };
}

async function checkCollection(collection: Collection<StoredDocument>, signal: AbortSignal): Promise<void> {
  const name = JSON.stringify(collection.collectionName);
  const [info] = await unlessUnauthorized(
    () => collection.db.listCollections({ name: collection.collectionName }, { signal, nameOnly: false }).toArray(),
    [],
  );
  if (info === undefined) return;
  if (info.type !== undefined && info.type !== "collection") {
    throw new UnsupportedServerError(`${name} is a ${info.type}, not a collection; name another collection`);
  }
  const options: Record<string, unknown> = { ...info.options };
  const collation = options["collation"] as { locale?: unknown } | undefined;
  if (collation !== undefined && collation.locale !== "simple") {
    throw new UnsupportedServerError(
      `the collection ${name} has the default collation ${JSON.stringify(collation.locale)}, under which distinct names can ` +
        "be the same; use a collection without one",
    );
  }
  if (options["capped"] === true) {
    throw new UnsupportedServerError(
      `the collection ${name} is capped: the server would throw positions away; use one that is not`,
    );
  }
}

async function ensureIndexes(collection: Collection<StoredDocument>): Promise<string[]> {
  const missing = await missingIndexes(collection);
  if (missing.length === 0) return [];
  const names = missing.map(({ name }) => name).join(" and ");
  try {
    await collection.createIndexes(missing);
    return [];
  } catch (error) {
    const code = error instanceof MongoServerError ? error.code : undefined;
    if (code === INDEX_OPTIONS_CONFLICT || code === INDEX_KEY_SPECS_CONFLICT) {
      // Also where another client made them at the same moment.
      if ((await missingIndexes(collection)).length === 0) return [];
      throw new UnsupportedServerError(
        `the collection ${JSON.stringify(collection.collectionName)} has an index that is in the way of ` +
          `${names}; drop it, or name another collection`,
      );
    }
    if (code !== UNAUTHORIZED) throw error;
    return [
      `this user may not create the indexes ${names}: without them expired ` +
        "records stay until they are swept, and listing by topic reads the whole namespace; have somebody create them",
    ];
  }
}

async function missingIndexes(collection: Collection<StoredDocument>): Promise<IndexDescription[]> {
  const indexes = await existingIndexes(collection);
  return INDEXES.filter((wanted) => !indexes.some((index) => doesFor(wanted, index)));
}

/** Whether an index does what is wanted. One over all documents does what a partial one does, at a higher price. */
function doesFor(wanted: IndexDescription, index: IndexDescriptionInfo): boolean {
  const filter: unknown = index["partialFilterExpression"];
  return (
    JSON.stringify(Object.entries(index.key)) === JSON.stringify(Object.entries(wanted.key)) &&
    index.expireAfterSeconds === wanted.expireAfterSeconds &&
    (filter === undefined || JSON.stringify(filter) === JSON.stringify(wanted.partialFilterExpression)) &&
    index["unique"] !== true
  );
}

async function existingIndexes(collection: Collection<StoredDocument>): Promise<IndexDescriptionInfo[]> {
  const namespaceNotFound = 26;
  try {
    return await unlessUnauthorized(() => collection.listIndexes().toArray() as Promise<IndexDescriptionInfo[]>, []);
  } catch (error) {
    if (error instanceof MongoServerError && error.code === namespaceNotFound) return [];
    throw error;
  }
}

/** Sees that the server knows its clock in filters and in updates by pipeline. Nothing is written. */
async function probe(collection: Collection<StoredDocument>, signal: AbortSignal): Promise<void> {
  const { $gt: id } = recordIdRange("tidemark-probe", {});
  const advice =
    "the store needs MongoDB 4.2 or later, or an engine of its protocol with $$NOW and updates by pipeline " +
    "(on FerretDB 2 set documentdb.enableNowSystemVariable and documentdb.enableLetAndCollationForQueryMatch to on)";
  try {
    await collection.find({ _id: id, ...VISIBLE_FILTER }, { signal, limit: 1 }).toArray();
  } catch (error) {
    if (!(error instanceof MongoServerError) || isPassing(error)) throw error;
    throw new UnsupportedServerError(`the server cannot compare with its own clock in a filter: ${advice}`);
  }
  try {
    await collection.bulkWrite([{ updateOne: { filter: { _id: id }, update: probePipeline(), upsert: true } }], {
      ordered: false,
    });
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const [failure] = [error.writeErrors].flat();
    if (failure !== undefined && isRefusalMessage(failure.errmsg ?? "")) return;
    // A user who may only read can list and fetch; what it may not write is refused when it tries.
    if (error.code === UNAUTHORIZED) return;
    if (failure === undefined) throw error;
  }
  throw new UnsupportedServerError(`the server does not update by pipeline as it must: ${advice}`);
}

function isPassing(error: MongoServerError): boolean {
  return (
    error.code === UNAUTHORIZED || error.hasErrorLabel("RetryableError") || error.hasErrorLabel("RetryableWriteError")
  );
}

async function unlessUnauthorized<Result>(call: () => Promise<Result>, otherwise: Result): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof MongoServerError && error.code === UNAUTHORIZED) return otherwise;
    throw error;
  }
}
