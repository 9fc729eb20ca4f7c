import type { OffsetStore, StoreCapabilities } from "@tidemark/core";
import {
  createOffsetStore,
  openDriver,
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
import { collectionExists, prepareCollection } from "./prepare-collection.ts";
import type { StoredDocument } from "./stored-document.ts";

/** What every way of opening a MongoDB store takes. */
export interface MongoStoreSettings extends OffsetStoreOptions {
  /** The database. Default: what the `url` names, or `tidemark`. */
  readonly database?: string | undefined;
  /** The collection; it is created if it is missing, with its indexes. Default `offsets`. */
  readonly collection?: string | undefined;
  /**
   * What a write waits for. Default `{ w: "majority", journal: true }`: it survives a failover. With less, writes are faster, and
   * a failover may undo what was acknowledged (`durability` is `async`). `w: 0` is refused.
   */
  readonly writeConcern?: WriteConcernSettings | undefined;
}

/** Opens the store on your own client, which is neither changed nor closed. */
export interface MongoStoreClientOptions extends MongoStoreSettings {
  /** A `MongoClient` of the mongodb package, connected or not. */
  readonly client: MongoClient;
  readonly url?: undefined;
}

/** Opens the store on its own client, which it closes. */
export interface MongoStoreUrlOptions extends MongoStoreSettings {
  /** Instead of a client: a connection string, `mongodb://` or `mongodb+srv://`. The store opens and closes the client. */
  readonly url: string;
  readonly client?: undefined;
}

/** What a MongoDB store is opened with: your `client`, or a `url`. */
export type MongoStoreOptions = MongoStoreClientOptions | MongoStoreUrlOptions;

/**
 * Opens a store in a MongoDB collection. Any number of stores in any number of processes may have the same one open.
 *
 * Rejects with `TypeError` or `RangeError` if an option makes no sense, and otherwise with an `OffsetStoreError`:
 * `UNAVAILABLE` or `TIMEOUT` (no writable server answers), `PERMISSION_DENIED`, or `UNSUPPORTED` (the server
 * lacks what the store needs, or the collection has a collation or a conflicting index).
 */
export async function openMongoStore(options: MongoStoreOptions): Promise<OffsetStore<ClientSession>> {
  validateOptionNames(options, ["client", "url", "database", "collection", "writeConcern"]);
  const { namespace, timeout } = resolveStoreOptions(options);
  const writeConcern = resolveWriteConcern(options.writeConcern);
  const { client, collection } = resolveCollection(options, timeout, writeConcern);
  const close = async (): Promise<void> => {
    if (options.client === undefined) await client.close();
  };
  const server = await whileOpening(client, timeout, close, (signal) => prepareCollection(collection, signal));
  for (const warning of server.warnings) warnOfStore(options, "mongo", warning);
  const driver = new MongoDriver({
    ...{ client, collection, namespace, timeoutMs: timeout, close },
    durability: durabilityOf(writeConcern, server.isReplicated),
    isReplicated: server.isReplicated,
    // While documents move to another shard, an update of many may miss one, or write where it was before.
    isGrouped: !server.isSharded,
  });
  return createOffsetStore(driver, options);
}

/** Whether the collection of a store is there already. Rejects as {@link openMongoStore}. */
export async function mongoStoreExists(options: MongoStoreUrlOptions): Promise<boolean> {
  const { timeout } = resolveStoreOptions(options);
  const { client, collection } = resolveCollection(options, timeout, resolveWriteConcern(options.writeConcern));
  const close = (): Promise<void> => client.close();
  const isThere = await whileOpening(client, timeout, close, (signal) => collectionExists(collection, signal));
  await close();
  return isThere;
}

/** Bounds the opening in time, and gives its errors their form; after one the client is released. */
async function whileOpening<Result>(
  client: MongoClient,
  timeout: number,
  release: () => Promise<void>,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  // A caller's client may wait for a server for longer than the store does: what it has met meanwhile is the reason.
  let cause: Error | undefined;
  const onHeartbeatFailed = ({ failure }: ServerHeartbeatFailedEvent): void => void (cause = failure);
  const whenLate = () => {
    const why = cause === undefined ? "check the address and the network" : classifyMongoError(cause).message;
    return { code: "TIMEOUT", retryable: true, message: `no answer within ${timeout} ms: ${why}`, cause } as const;
  };
  const opening = { store: "mongo", timeout, classify: classifyMongoError, whenLate, release };
  client.on("serverHeartbeatFailed", onHeartbeatFailed);
  try {
    return await openDriver(opening, work);
  } finally {
    client.off("serverHeartbeatFailed", onHeartbeatFailed);
  }
}

function resolveCollection(
  options: MongoStoreOptions,
  timeoutMs: number,
  writeConcern: WriteConcernSettings,
): { readonly client: MongoClient; readonly collection: Collection<StoredDocument> } {
  const database = resolveName("database", options.database ?? databaseOf(options.url) ?? "tidemark");
  const name = resolveName("collection", options.collection ?? "offsets");
  const client = resolveClient(options, timeoutMs);
  return { client, collection: collectionOf(client, database, name, writeConcern) };
}

function collectionOf(
  client: MongoClient,
  database: string,
  name: string,
  writeConcern: WriteConcernSettings,
): Collection<StoredDocument> {
  // Whichever options the caller's client has.
  const read = { promoteLongs: true, promoteValues: true, useBigInt64: false, raw: false, fieldsAsRaw: {} };
  const written = { serializeFunctions: false, ignoreUndefined: false };
  try {
    return client.db(database, { ...read, ...written, readPreference: "primary" }).collection<StoredDocument>(name, {
      writeConcern,
      readConcern: { level: "local" },
    });
  } catch (error) {
    throw new TypeError(error instanceof Error ? error.message : String(error), { cause: error });
  }
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
  if (given.w === 0)
    throw new TypeError("writeConcern must not be { w: 0 }: the store must know whether a write was applied");
  return { w: "majority", ...given };
}

function resolveClient({ client, url }: MongoStoreOptions, timeoutMs: number): MongoClient {
  if ((client === undefined) === (url === undefined)) {
    throw new TypeError("give either client (your MongoClient) or url (a connection string)");
  }
  if (client !== undefined) {
    if (typeof client === "object" && client !== null && typeof client.db === "function") return client;
    throw new TypeError("client must be a MongoClient of the mongodb package");
  }
  if (typeof url !== "string" || !/^mongodb(?:\+srv)?:\/\//u.test(url)) {
    throw new TypeError("url must be a connection string: mongodb://HOST/DATABASE or mongodb+srv://HOST/DATABASE");
  }
  try {
    return new MongoClient(url, {
      appName: "tidemark",
      // Before the call's own end, so that the error can say what is wrong with which server.
      serverSelectionTimeoutMS: Math.ceil(timeoutMs * 0.75),
      // Nothing is waited for that no call waits for any more.
      connectTimeoutMS: timeoutMs,
      socketTimeoutMS: timeoutMs,
      waitQueueTimeoutMS: timeoutMs,
    });
  } catch (error) {
    // Not the driver's text and no cause: either may quote the connection string.
    const { name, message } = error instanceof Error ? error : { name: "error", message: "" };
    // The one text that quotes nothing but the names of options.
    const unknown = /^options? [\w, ]+ (?:is|are) not supported$/iu.exec(message)?.[0];
    // oxlint-disable-next-line preserve-caught-error
    throw new TypeError(
      `the mongodb package cannot parse url (${unknown ?? name}): write mongodb://HOST/DATABASE, and check its options`,
    );
  }
}

/** The database that a connection string names after its hosts. */
function databaseOf(url: unknown): string | undefined {
  const path = /^mongodb(?:\+srv)?:\/\/[^/?]*\/(?<path>[^?]*)/u.exec(String(url))?.groups?.["path"];
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
