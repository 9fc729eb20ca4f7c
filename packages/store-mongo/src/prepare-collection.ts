import { type Collection, type IndexDescription, type IndexDescriptionInfo, MongoServerError } from "mongodb";
import { EntryIds } from "./entry-ids.ts";
import { UNAUTHORIZED, UnsupportedServerError } from "./mongo-errors.ts";
import { ENTRY_FIELDS, EXPIRED, type StoredDocument } from "./stored-document.ts";

const NAMESPACE_NOT_FOUND = 26;
const INDEX_OPTIONS_CONFLICT = 85;
const INDEX_KEY_SPECS_CONFLICT = 86;

/** What the store's queries and the server's own sweep need. All else goes by `_id`, and no flush touches an index. */
const INDEXES: readonly IndexDescription[] = [
  // Expired records are removed by the server. Partial, so that what never expires is in no index of its own.
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
  readonly isSharded: boolean;
  /** Whether the server is a replica set, or sharded over such. */
  readonly isReplicated: boolean;
  /** What the operator should know, as sentences. */
  readonly warnings: readonly string[];
}

/** Checks what the server can do and what the collection is, and makes the indexes that are missing. Throws raw errors. */
export async function prepareCollection(
  collection: Collection<StoredDocument>,
  signal: AbortSignal,
): Promise<PreparedCollection> {
  const hello = await collection.db.command({ hello: 1 }, { signal });
  const isSharded = hello["msg"] === "isdbgrid";
  const isReplicated = isSharded || typeof hello["setName"] === "string";
  await checkCollection(collection, signal);
  const warnings = await ensureIndexes(collection);
  await probe(collection, signal);
  return { isSharded, isReplicated, warnings };
}

/** Whether the collection is there, as far as the user may see. Throws raw errors. */
export async function collectionExists(
  { db, collectionName }: Collection<StoredDocument>,
  signal: AbortSignal,
): Promise<boolean> {
  const named = db.listCollections({ name: collectionName }, { signal, nameOnly: true });
  return (await unless([UNAUTHORIZED], () => named.toArray(), [{ name: collectionName }])).length > 0;
}

async function checkCollection(collection: Collection<StoredDocument>, signal: AbortSignal): Promise<void> {
  const name = JSON.stringify(collection.collectionName);
  const [info] = await unless([UNAUTHORIZED], () =>
    collection.db.listCollections({ name: collection.collectionName }, { signal, nameOnly: false }).toArray(),
  );
  if (info === undefined) return;
  if (info.type !== undefined && info.type !== "collection") {
    throw new UnsupportedServerError(`${name} is a ${info.type}, not a collection; name another collection`);
  }
  const { collation, capped } = { ...info.options };
  if (collation !== undefined && collation.locale !== "simple") {
    throw new UnsupportedServerError(
      `the collection ${name} has the default collation ${JSON.stringify(collation.locale)}, under which distinct names can ` +
        "compare as equal; use a collection without one",
    );
  }
  if (capped === true) {
    throw new UnsupportedServerError(
      `the collection ${name} is capped: the server would delete positions; use one that is not capped`,
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
        `the collection ${JSON.stringify(collection.collectionName)} has an index that conflicts with ` +
          `${names}; drop it, or name another collection`,
      );
    }
    if (code !== UNAUTHORIZED) throw error;
    return [
      `the user may not create the indexes ${names}: without them expired ` +
        "records stay until they are swept, and listing by topic reads the whole namespace; have an administrator create them",
    ];
  }
}

async function missingIndexes(collection: Collection<StoredDocument>): Promise<IndexDescription[]> {
  const indexes = await unless(
    [UNAUTHORIZED, NAMESPACE_NOT_FOUND],
    () => collection.listIndexes().toArray() as Promise<IndexDescriptionInfo[]>,
  );
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

/** Sees that the server knows its clock in filters, projections and updates. Nothing is written. */
async function probe(collection: Collection<StoredDocument>, signal: AbortSignal): Promise<void> {
  const nobody = new EntryIds("tidemark-probe").of({ consumer: "", topic: "", member: "" });
  try {
    await collection.find({ _id: nobody, ...EXPIRED }, { signal, projection: ENTRY_FIELDS }).toArray();
    await unless([UNAUTHORIZED], async () => {
      await collection.updateOne({ _id: nobody }, [{ $set: { writtenAt: "$$NOW" } }]);
      return [];
    });
  } catch (error) {
    const isPassing =
      !(error instanceof MongoServerError) ||
      error.code === UNAUTHORIZED ||
      error.hasErrorLabel("RetryableError") ||
      error.hasErrorLabel("RetryableWriteError");
    if (isPassing) throw error;
    throw new UnsupportedServerError(
      "the server does not support $$NOW in queries and updates: the store needs MongoDB 4.4 or later, or a " +
        "compatible server that supports it (on FerretDB 2 set documentdb.enableNowSystemVariable and " +
        "documentdb.enableLetAndCollationForQueryMatch to on)",
    );
  }
}

/** What a call gives, or nothing, or what is said, where the server refuses it with one of these codes. */
async function unless<Item>(
  codes: readonly number[],
  call: () => Promise<Item[]>,
  instead: Item[] = [],
): Promise<Item[]> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof MongoServerError && codes.includes(Number(error.code))) return instead;
    throw error;
  }
}
