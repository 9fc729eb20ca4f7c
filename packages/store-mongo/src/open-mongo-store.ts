import { type OffsetStore, OffsetStoreError, type StoreCapabilities } from "@tidemark/core";
import {
  createOffsetStore,
  type OffsetStoreOptions,
  resolveStoreOptions,
  validateOptionNames,
  warnOfStore,
} from "@tidemark/core/driver";
import {
  type ClientSession,
  type Collection,
  MongoClient,
  type ServerHeartbeatFailedEvent,
  type WriteConcernSettings,
} from "mongodb";
import { MongoDriver } from "./mongo-driver.ts";
import { classifyMongoError } from "./mongo-errors.ts";
import { prepareCollection } from "./prepare-collection.ts";
import type { StoredDocument } from "./stored-document.ts";

/** The names where nothing else is said. */
const DEFAULT_DATABASE = "tidemark";
const DEFAULT_COLLECTION = "offsets";

/** What every way of opening a MongoDB store takes. */
export interface MongoStoreSettings extends OffsetStoreOptions {
  /** The database. Default: what the `url` names, or `tidemark`. */
  readonly database?: string | undefined;
  /** The collection; it is made if it is not there, and so are its indexes. Default `offsets`. */
  readonly collection?: string | undefined;
  /**
   * What a write waits for. Default `{ w: "majority", journal: true }`: it survives a failover. Less is faster, and a
   * failover may then take back what was acknowledged (`durability` is `async`); `w: 0` is refused.
   */
  readonly writeConcern?: WriteConcernSettings | undefined;
}

/** Opens the store on the caller's own client, which stays as it is and is never closed. */
export interface MongoStoreClientOptions extends MongoStoreSettings {
  /** A `MongoClient` of the mongodb package; it connects by itself if it has not. */
  readonly client: MongoClient;
  readonly url?: undefined;
}

/** Opens the store on a client of its own, which it closes. */
export interface MongoStoreUrlOptions extends MongoStoreSettings {
  /** A connection string, `mongodb://` or `mongodb+srv://`. */
  readonly url: string;
  readonly client?: undefined;
}

/** What a MongoDB store is opened with: the caller's `client`, or a `url`. */
export type MongoStoreOptions = MongoStoreClientOptions | MongoStoreUrlOptions;

/**
 * Opens a store in a MongoDB collection. Any number of stores in any number of processes may have the same one open.
 *
 * Rejects with `TypeError` or `RangeError` if an option makes no sense, and otherwise with an `OffsetStoreError`:
 * `UNAVAILABLE` or `TIMEOUT` (no server that takes writes answers), `PERMISSION_DENIED`, or `UNSUPPORTED` (the server
 * lacks what the store needs, or the collection has a collation or an index that is in the way).
 */
export async function openMongoStore(options: MongoStoreOptions): Promise<OffsetStore<ClientSession>> {
  validateOptionNames(options, ["client", "url", "database", "collection", "writeConcern"]);
  const { namespace, timeout } = resolveStoreOptions(options);
  const writeConcern = resolveWriteConcern(options.writeConcern);
  const { client, owned, database } = resolveClient(options, timeout);
  const close = async (): Promise<void> => {
    if (owned) await client.close();
  };
  const failed = async (error: unknown): Promise<never> => {
    // What went wrong first matters more than a failure to close.
    // oxlint-disable-next-line no-promise-in-callback
    await close().catch(() => undefined);
    throw error;
  };
  let collection: Collection<StoredDocument>;
  try {
    collection = client
      .db(database)
      .collection<StoredDocument>(resolveName("collection", options.collection ?? DEFAULT_COLLECTION), {
        writeConcern,
        readConcern: { level: "local" },
        readPreference: "primary",
        // Whatever the caller's client is set to: an int64 is read as a bigint, and a double as a number.
        ...{ promoteLongs: true, promoteValues: true, promoteBuffers: false, useBigInt64: true, bsonRegExp: false },
        ...{
          raw: false,
          fieldsAsRaw: {},
          serializeFunctions: false,
          ignoreUndefined: false,
          enableUtf8Validation: true,
        },
      });
  } catch (error) {
    return failed(new TypeError(error instanceof Error ? error.message : String(error)));
  }
  try {
    const { transactions, isReplicated, warnings } = await withinTimeout(client, timeout, (signal) =>
      prepare(client, collection, signal),
    );
    for (const warning of warnings) warnOfStore(options, "mongo", warning);
    const durability = durabilityOf(writeConcern, isReplicated);
    const driver = new MongoDriver({
      client,
      collection,
      namespace,
      timeoutMs: timeout,
      transactions,
      durability,
      close,
    });
    return createOffsetStore(driver, options);
  } catch (error) {
    if (error instanceof OffsetStoreError) return failed(error);
    const { code, retryable, message } = classifyMongoError(error);
    const text = `mongo store: open failed: ${message}`;
    return failed(new OffsetStoreError(text, { code, retryable, operation: "open", store: "mongo", cause: error }));
  }
}

/** Bounds the opening in time. A caller's client may wait for a server for longer than the store does. */
async function withinTimeout<Result>(
  client: MongoClient,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  const late = Promise.withResolvers<never>();
  let lastFailure: Error | undefined;
  const onHeartbeatFailed = ({ failure }: ServerHeartbeatFailedEvent): void => void (lastFailure = failure);
  client.on("serverHeartbeatFailed", onHeartbeatFailed);
  const timer = setTimeout(() => {
    const why =
      lastFailure === undefined ? "check the address and the network" : classifyMongoError(lastFailure).message;
    const error = new OffsetStoreError(`mongo store: open failed: no answer within ${timeoutMs} ms: ${why}`, {
      code: "TIMEOUT",
      operation: "open",
      store: "mongo",
      cause: lastFailure,
    });
    late.reject(error);
    abort.abort(error);
  }, timeoutMs);
  try {
    return await Promise.race([work(abort.signal), late.promise]);
  } finally {
    clearTimeout(timer);
    client.off("serverHeartbeatFailed", onHeartbeatFailed);
  }
}

async function prepare(
  client: MongoClient,
  collection: Collection<StoredDocument>,
  signal: AbortSignal,
): Promise<{ transactions: boolean; isReplicated: boolean; warnings: readonly string[] }> {
  const hello = await client.db("admin").command({ hello: 1 }, { signal, readPreference: "primary" });
  const isSharded = hello["msg"] === "isdbgrid";
  const isReplicated = isSharded || typeof hello["setName"] === "string";
  const { warnings } = await prepareCollection(collection, signal);
  // A server that stands alone takes a transaction's writes and keeps them when it is aborted.
  return { transactions: isReplicated, isReplicated, warnings };
}

function durabilityOf(writeConcern: WriteConcernSettings, isReplicated: boolean): StoreCapabilities["durability"] {
  const isJournaled = (writeConcern.journal ?? writeConcern.j) !== false;
  if (isReplicated) return writeConcern.w === "majority" && isJournaled ? "synced" : "async";
  return isJournaled ? "synced" : "process";
}

function resolveWriteConcern(given: WriteConcernSettings | undefined): WriteConcernSettings {
  if (given === undefined) return { w: "majority", journal: true };
  if (typeof given !== "object" || given === null) {
    throw new TypeError('writeConcern must be an object such as { w: "majority" }');
  }
  if (given.w === 0) throw new TypeError("writeConcern must not be { w: 0 }: the store has to know what is written");
  return { w: "majority", ...given };
}

function resolveClient(
  options: MongoStoreOptions,
  timeoutMs: number,
): { readonly client: MongoClient; readonly owned: boolean; readonly database: string } {
  const { client, url } = options;
  if ((client === undefined) === (url === undefined)) {
    throw new TypeError("give either client, a MongoClient of yours, or url, a connection string");
  }
  if (client !== undefined) {
    if (typeof client !== "object" || client === null || typeof client.db !== "function") {
      throw new TypeError("client must be a MongoClient of the mongodb package");
    }
    return { client, owned: false, database: resolveName("database", options.database ?? DEFAULT_DATABASE) };
  }
  if (typeof url !== "string" || !/^mongodb(?:\+srv)?:\/\//u.test(url)) {
    throw new TypeError("url must be a connection string: mongodb://HOST/DATABASE or mongodb+srv://HOST/DATABASE");
  }
  const database = resolveName("database", options.database ?? databaseOf(url) ?? DEFAULT_DATABASE);
  try {
    const owned = new MongoClient(url, {
      appName: "tidemark",
      // Before the call's own end, so that the error can say what is wrong with which server.
      serverSelectionTimeoutMS: Math.ceil(timeoutMs * 0.75),
      // Nothing is waited for that no call waits for any more.
      connectTimeoutMS: timeoutMs,
      socketTimeoutMS: timeoutMs,
      waitQueueTimeoutMS: timeoutMs,
    });
    return { client: owned, owned: true, database };
  } catch (error) {
    // Not the driver's text and no cause: either may quote the connection string.
    const name = error instanceof Error ? error.name : "error";
    // The one text that quotes nothing but the names of options.
    const unknown =
      error instanceof Error ? /^options? [\w, ]+ (?:is|are) not supported$/iu.exec(error.message)?.[0] : "";
    // oxlint-disable-next-line preserve-caught-error
    throw new TypeError(
      `url is no connection string that the mongodb package understands (${unknown || name}): write mongodb://HOST/DATABASE, and check its options`,
    );
  }
}

/** The database that a connection string names after its hosts. */
function databaseOf(url: string): string | undefined {
  const path = /^mongodb(?:\+srv)?:\/\/[^/?]*\/(?<path>[^?]*)/u.exec(url)?.groups?.["path"];
  if (path === undefined || path === "") return undefined;
  try {
    return decodeURIComponent(path);
  } catch {
    throw new TypeError("the database in url has a % that is not an escape: write it as %25");
  }
}

function resolveName(what: string, name: unknown): string {
  if (typeof name !== "string") throw new TypeError(`${what} must be a string`);
  if (name === "" || name.includes("\0")) throw new TypeError(`${what} must not be empty or have a NUL character`);
  return name;
}
