import type { StoreCapabilities } from "@tidemark/core";
import type {
  Change,
  DriverContext,
  DriverKey,
  ErrorClassification,
  ListFilter,
  ListPage,
  OffsetStoreDriver,
  OwnTransaction,
  ReadAnswer,
  WriteAnswer,
  WriteContext,
} from "@tidemark/core/driver";
import type { ClientSession, Collection, Document, FindOptions, MongoClient, TransactionOptions } from "mongodb";
import { type RequestOptions, sendChanges } from "./conditional-writes.ts";
import { EntryIds } from "./entry-ids.ts";
import { classifyMongoError } from "./mongo-errors.ts";
import { meetRenewals } from "./meet-renewals.ts";
import { beginOwnTransaction } from "./own-transaction.ts";
import { ENTRY_FIELDS, EXPIRED, readEntry, type StoredDocument } from "./stored-document.ts";
import { validateTransaction } from "./validate-transaction.ts";

/** The most changes of one command. */
const MAX_BATCH = 10_000;
/** The most documents of one page of a listing. */
const PAGE_DOCUMENTS = 1_000;

/** What a driver is made from. */
export interface MongoDriverOptions {
  readonly client: MongoClient;
  readonly collection: Collection<StoredDocument>;
  readonly namespace: string;
  /** Milliseconds of the store's `timeout`: no request is worth more to the server. */
  readonly timeoutMs: number;
  /** Whether the server is a replica set or sharded. */
  readonly isReplicated: boolean;
  /** Whether one update may be of many documents. */
  readonly isGrouped: boolean;
  readonly durability: StoreCapabilities["durability"];
  /** Ends what the store opened itself. */
  readonly close: () => Promise<void>;
}

/** The driver over one collection: one document for each entry, and each change one atomic step of the server. */
export class MongoDriver implements OffsetStoreDriver<ClientSession> {
  readonly name = "mongo";
  readonly capabilities: StoreCapabilities;
  readonly close: () => Promise<void>;
  readonly begin?: () => Promise<OwnTransaction<ClientSession>>;
  readonly #options: MongoDriverOptions;
  readonly #ids: EntryIds;
  /** How to read what was written without an answer: a primary shows it before a majority has it, and may yet lose it. */
  readonly #confirming: FindOptions;

  constructor(options: MongoDriverOptions) {
    this.#options = options;
    this.#ids = new EntryIds(options.namespace);
    this.close = options.close;
    const isByMajority = options.isReplicated && options.durability === "synced";
    this.#confirming = isByMajority ? { readConcern: { level: "linearizable" } } : {};
    const { client, collection, isReplicated, timeoutMs } = options;
    // A server that stands alone takes a transaction's writes and keeps them when it is aborted.
    if (isReplicated) {
      const { writeConcern } = collection;
      const how: TransactionOptions = {
        // The user's reads and the position are of one moment, and what is committed survives what a flush does.
        ...{ readConcern: "snapshot", readPreference: "primary", maxCommitTimeMS: timeoutMs },
        ...(writeConcern !== undefined && { writeConcern }),
      };
      this.begin = async () => beginOwnTransaction(client, how);
    }
    this.capabilities = Object.freeze({
      atomicBatch: false,
      transactions: isReplicated,
      durability: options.durability,
      expiry: Object.freeze({ reclaim: "native", granularityMs: 1 }),
      maxBatch: MAX_BATCH,
    });
  }

  async read(keys: readonly DriverKey[], context: DriverContext<ClientSession>): Promise<ReadAnswer> {
    const ids = keys.map((key) => this.#ids.of(key));
    const { transaction } = context;
    const options = {
      ...this.#request(context),
      ...(context.confirmed === true && this.#confirming),
      ...{ projection: transaction ? { ...ENTRY_FIELDS, expiresAt: 1 } : ENTRY_FIELDS, batchSize: MAX_BATCH + 1 },
    };
    const documents = await this.#options.collection.find<Document>({ _id: { $in: ids } }, options).toArray();
    if (transaction !== undefined) await meetRenewals(this.#options.collection, documents, transaction);
    const byId = new Map(documents.map((document) => [document["_id"], document]));
    const entries = ids.map((id) => readEntry(byId.get(id)));
    return { now: timeOf(documents) ?? (await this.#time(context)), entries };
  }

  async write(changes: readonly Change[], context: WriteContext<ClientSession>): Promise<WriteAnswer> {
    const placed = changes.map((change) => ({ id: this.#ids.of(change.key), change }));
    const { collection, namespace, isGrouped } = this.#options;
    const how = { namespace, isGrouped, isTimed: context.timed === true };
    return sendChanges(collection, placed, this.#request(context), how);
  }

  /** Page by page in the order of `_id`, and not by a cursor: a slow reader outlives cursors, and a failover too. */
  async *list(
    filter: ListFilter,
    { signal }: Pick<DriverContext, "signal">,
  ): AsyncGenerator<ListPage, void, undefined> {
    const { topic } = filter;
    const ids = this.#ids.matching(filter);
    const fields = {
      ...(topic !== undefined && filter.consumer === undefined && { namespace: this.#options.namespace, topic }),
      ...(filter.reclaimable === true && EXPIRED),
    };
    const sort = { _id: 1 } as const;
    const options = { sort, limit: PAGE_DOCUMENTS, batchSize: PAGE_DOCUMENTS + 1, projection: ENTRY_FIELDS };
    let after = ids.$gt;
    for (;;) {
      const documents = await this.#options.collection
        .find<Document>({ ...fields, _id: { ...ids, $gt: after } }, { ...this.#request({ signal }), ...options })
        .toArray();
      const now = timeOf(documents);
      if (now === undefined) return;
      const entries = documents.flatMap((document) => {
        const [key, entry] = [this.#ids.keyOf(document["_id"]), readEntry(document)];
        return key === undefined || entry === undefined ? [] : [{ key, entry }];
      });
      yield { now, entries };
      const last: unknown = documents.at(-1)?.["_id"];
      if (documents.length < PAGE_DOCUMENTS || typeof last !== "string") return;
      after = last;
    }
  }

  classify(error: unknown): ErrorClassification {
    return classifyMongoError(error);
  }

  #request({ signal, transaction }: DriverContext<ClientSession>): RequestOptions {
    if (transaction === undefined) return { signal, maxTimeMS: this.#options.timeoutMs };
    validateTransaction(transaction, this.#options.client);
    return { session: transaction };
  }

  /** The server's clock where no document has it; that is after the read, and what is not there cannot expire meanwhile. */
  async #time({ signal }: DriverContext<ClientSession>): Promise<number> {
    const hello = await this.#options.collection.db.command({ hello: 1 }, { signal, readPreference: "primary" });
    return (hello["localTime"] as Date).getTime();
  }
}

/** The server's clock as it was when the query began that gave these documents. */
function timeOf([first]: readonly Document[]): number | undefined {
  return (first?.["now"] as Date | undefined)?.getTime();
}
