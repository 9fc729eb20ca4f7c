import { randomUUID } from "node:crypto";
import {
  type ClaimEntry,
  type CommitEntry,
  type DeleteSelector,
  type ExpireEntry,
  type OffsetFilter,
  type OffsetKey,
  type ResetEntry,
  type StoreCapabilities,
} from "@tidemark/core";
import {
  backoffMs,
  commitTransition,
  delay,
  type DriverClaimOutcome,
  type DriverCommitContext,
  type DriverCommitOutcome,
  type DriverContext,
  type DriverExpireOutcome,
  type DriverFailure,
  type DriverFetchOutcome,
  type DriverListing,
  type DriverResetOutcome,
  type ErrorClassification,
  type OffsetStoreDriver,
  type StoredOffset,
  toOffsetRecord,
} from "@tidemark/core/driver";
import type { ClientSession, Collection, Document, MongoClient } from "mongodb";
import { type RequestOptions, writeGuarded } from "./guarded-writes.ts";
import { classifyMongoError } from "./mongo-errors.ts";
import { TransactionalCommits } from "./mongo-transaction.ts";
import { keyOfRecordId, recordId, recordIdRange } from "./record-id.ts";
import { RecordReader } from "./record-reader.ts";
import { ClaimDeletedError, type StoredDocument, UnreadableDocumentError } from "./stored-document.ts";
import {
  claimPipeline,
  commitPipeline,
  EXPIRED_FILTER,
  expirePipeline,
  removePipeline,
  resetPipeline,
  VISIBLE_FILTER,
} from "./update-pipelines.ts";

/** The most entries of one `bulkWrite`. */
const MAX_BATCH = 1_000;

/**
 * How often an entry that failed by itself is sent again before its error is believed: of two clients that insert the same
 * `_id` at once, the DocumentDB engine fails one with an error that says nothing of that.
 */
const LAST_DOUBT = 2;

/** What a driver is made from. */
export interface MongoDriverOptions {
  readonly client: MongoClient;
  readonly collection: Collection<StoredDocument>;
  readonly namespace: string;
  /** Milliseconds of the store's `timeout`: no request is worth more to the server. */
  readonly timeoutMs: number;
  readonly transactions: boolean;
  readonly durability: StoreCapabilities["durability"];
  /** Ends what the store opened itself. */
  readonly close: () => Promise<void>;
}

/** The driver over one collection. Every write is one atomic step of the server, see `update-pipelines.ts`. */
export class MongoDriver implements OffsetStoreDriver<ClientSession> {
  readonly name = "mongo";
  readonly capabilities: StoreCapabilities;
  readonly #within: TransactionalCommits;
  readonly #collection: Collection<StoredDocument>;
  readonly #reader: RecordReader;
  readonly #namespace: string;
  readonly #timeoutMs: number;
  readonly #close: () => Promise<void>;

  constructor(options: MongoDriverOptions) {
    this.#collection = options.collection;
    this.#namespace = options.namespace;
    this.#reader = new RecordReader(options.collection, options.namespace);
    this.#within = new TransactionalCommits({ ...options, reader: this.#reader, store: this.name });
    this.#timeoutMs = options.timeoutMs;
    this.#close = options.close;
    this.capabilities = Object.freeze({
      atomicBatch: false,
      transactions: options.transactions,
      durability: options.durability,
      expiry: Object.freeze({ reclaim: "native", granularityMs: 1 }),
      maxBatch: MAX_BATCH,
    });
  }

  async claim(entries: readonly ClaimEntry[], { signal }: DriverContext): Promise<readonly DriverClaimOutcome[]> {
    const call = randomUUID();
    const outcomes = await this.#write<ClaimEntry, DriverClaimOutcome>(entries, signal, {
      pipeline: (entry) => claimPipeline(this.#namespace, entry, call),
      written: { status: "claimed", record: undefined },
    });
    const claimed = entries.filter((_, index) => outcomes[index]?.status === "claimed");
    const remembered = await this.#reader.rememberedBy(claimed, call, this.#request(signal));
    // What such a claim had found went with it, and nobody holds it. The store claims all again: a claim can be repeated.
    if (claimed.some(({ key }) => !remembered.has(this.#id(key)))) throw new ClaimDeletedError();
    return entries.map(({ key }, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined || outcome.status === "failed") return outcome as DriverFailure;
      const found = remembered.get(this.#id(key));
      if (found instanceof UnreadableDocumentError) return { status: "failed", error: found };
      return { status: "claimed", record: found && toOffsetRecord(key, found) };
    });
  }

  async commit(
    entries: readonly CommitEntry[],
    { signal, transaction }: DriverCommitContext<ClientSession>,
  ): Promise<readonly DriverCommitOutcome[]> {
    if (transaction !== undefined) return this.#within.commit(transaction, entries);
    return this.#write<CommitEntry, DriverCommitOutcome>(entries, signal, {
      pipeline: (entry) => commitPipeline(this.#namespace, entry),
      written: { status: "committed" },
      refused: (entry, stored) => commitTransition(entry.key, stored, entry, 0).refusal,
    });
  }

  async fetch(keys: readonly OffsetKey[], { signal }: DriverContext): Promise<readonly DriverFetchOutcome[]> {
    const documents = await this.#reader.find(keys, this.#request(signal));
    return keys.map((key, index) => {
      const stored = documents[index];
      if (stored === undefined) return { status: "absent" };
      if (stored instanceof UnreadableDocumentError) return { status: "failed", error: stored };
      return { status: "found", record: toOffsetRecord(key, stored) };
    });
  }

  /** Page by page in the order of `_id`, and not by a cursor: a slow reader outlives cursors, and a failover too. */
  async *list(
    filter: OffsetFilter,
    { signal }: DriverContext,
  ): AsyncGenerator<readonly DriverListing[], void, undefined> {
    const request = (): RequestOptions => this.#request(signal);
    for await (const documents of this.#reader.pages(filter, VISIBLE_FILTER, request)) {
      const listings = documents.flatMap((document): DriverListing[] => {
        const key = keyOfRecordId(this.#namespace, document["_id"]);
        if (key === undefined) return [];
        const stored = this.#reader.read(key, document);
        if (stored instanceof UnreadableDocumentError) return [{ status: "failed", key, error: stored }];
        return [{ status: "found", record: toOffsetRecord(key, stored) }];
      });
      if (listings.length > 0) yield listings;
    }
  }

  reset(entries: readonly ResetEntry[], { signal }: DriverContext): Promise<readonly DriverResetOutcome[]> {
    return this.#write<ResetEntry, DriverResetOutcome>(entries, signal, {
      pipeline: (entry) => resetPipeline(this.#namespace, entry),
      written: { status: "reset" },
    });
  }

  expire(entries: readonly ExpireEntry[], { signal }: DriverContext): Promise<readonly DriverExpireOutcome[]> {
    return this.#write<ExpireEntry, DriverExpireOutcome>(entries, signal, {
      pipeline: (entry) => expirePipeline(this.#namespace, entry),
      written: { status: "set" },
      refused: (_, stored) => (stored === undefined ? { status: "absent" } : undefined),
    });
  }

  async delete(selector: DeleteSelector, { signal }: DriverContext): Promise<readonly OffsetKey[]> {
    const call = randomUUID();
    if ("keys" in selector) return this.#remove(selector.keys, "visible", call, signal);
    const isSweep = "expired" in selector;
    const filter = isSweep ? {} : selector;
    const removed: OffsetKey[] = [];
    const request = (): RequestOptions => this.#request(signal);
    for await (const documents of this.#reader.pages(filter, isSweep ? EXPIRED_FILTER : VISIBLE_FILTER, request, {
      _id: 1,
    })) {
      const keys = documents.flatMap(({ _id }) => keyOfRecordId(this.#namespace, _id) ?? []);
      for (const key of await this.#remove(keys, isSweep ? "expired" : "visible", call, signal)) removed.push(key);
    }
    if (isSweep) {
      // What a removal left that was killed between its halves: it was told already, and is gone to every verb.
      const range = recordIdRange(this.#namespace, {});
      const left = { _id: range, removedBy: { $exists: true }, ...EXPIRED_FILTER };
      await this.#collection.deleteMany(left, this.#request(signal));
    }
    return removed;
  }

  classify(error: unknown): ErrorClassification {
    return classifyMongoError(error);
  }

  close(): Promise<void> {
    return this.#close();
  }

  #id(key: OffsetKey): string {
    return recordId(this.#namespace, key);
  }

  #request(signal: AbortSignal): RequestOptions {
    signal.throwIfAborted();
    return { signal, maxTimeMS: this.#timeoutMs };
  }

  /**
   * Writes each entry, and looks again at those that were refused. One that would pass now, because it met another's write
   * half-way, is sent again.
   */
  async #write<Entry extends { readonly key: OffsetKey }, Outcome>(
    entries: readonly Entry[],
    signal: AbortSignal,
    verb: {
      readonly pipeline: (entry: Entry) => Document[];
      readonly written: Outcome;
      /** Why an entry is refused, seeing what is stored; `undefined` if it is not. */
      readonly refused?: (entry: Entry, stored: StoredOffset | undefined) => Outcome | undefined;
    },
  ): Promise<(Outcome | DriverFailure)[]> {
    const outcomes: (Outcome | DriverFailure)[] = Array.from({ length: entries.length });
    let open = entries.map((entry, index) => ({ entry, index }));
    for (let attempt = 0; open.length > 0; attempt += 1) {
      if (attempt > 0) await delay(backoffMs(attempt, 1, 50), signal);
      const writes = open.map(({ entry }) => ({ id: this.#id(entry.key), pipeline: verb.pipeline(entry) }));
      const results = await writeGuarded(this.#collection, writes, this.#request(signal));
      const unsettled = open.filter(({ index }, position) => {
        if (results[position]?.status === "written") outcomes[index] = verb.written;
        return results[position]?.status !== "written";
      });
      if (unsettled.length === 0) break;
      const failures = results.filter(({ status }) => status !== "written");
      const found = await this.#reader.find(
        unsettled.map(({ entry }) => entry.key),
        this.#request(signal),
      );
      open = unsettled.filter(({ entry, index }, position) => {
        const stored = found[position];
        const failure = failures[position];
        const outcome =
          stored instanceof UnreadableDocumentError
            ? { status: "failed" as const, error: stored }
            : (verb.refused?.(entry, stored) ??
              (failure?.status === "failed" && attempt >= LAST_DOUBT ? failure : undefined));
        if (outcome !== undefined) outcomes[index] = outcome;
        return outcome === undefined;
      });
    }
    return outcomes;
  }

  /** Removes records in two halves, see {@link removePipeline}, and tells which keys this call removed. */
  async #remove(
    keys: readonly OffsetKey[],
    which: "visible" | "expired",
    call: string,
    signal: AbortSignal,
  ): Promise<OffsetKey[]> {
    if (keys.length === 0) return [];
    const pipeline = removePipeline(which, call);
    const writes = keys.map((key) => ({ id: this.#id(key), pipeline }));
    const results = await writeGuarded(this.#collection, writes, this.#request(signal));
    const removed = keys.filter((_, index) => results[index]?.status === "written");
    if (removed.length > 0) {
      const ids = removed.map((key) => this.#id(key));
      await this.#collection.deleteMany({ _id: { $in: ids }, removedBy: call }, this.#request(signal));
    }
    const failure = results.find((result) => result.status === "failed");
    if (failure !== undefined) throw failure.error;
    return removed;
  }
}
