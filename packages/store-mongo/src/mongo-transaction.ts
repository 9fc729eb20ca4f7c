import { type CommitEntry, formatKey, type OffsetKey, OffsetStoreError } from "@tidemark/core";
import { commitTransition, type DriverCommitOutcome } from "@tidemark/core/driver";
import type { ClientSession, Collection, MongoClient } from "mongodb";
import { writeGuarded } from "./guarded-writes.ts";
import { recordId } from "./record-id.ts";
import type { RecordReader } from "./record-reader.ts";
import { type StoredDocument, UnreadableDocumentError } from "./stored-document.ts";
import { commitPipeline } from "./update-pipelines.ts";

/** What commits inside a caller's transaction need. */
export interface TransactionalCommitsOptions {
  readonly client: MongoClient;
  readonly collection: Collection<StoredDocument>;
  readonly namespace: string;
  readonly reader: RecordReader;
  /** The store's name, for messages. */
  readonly store: string;
}

/** Commits inside a caller's transaction. */
export class TransactionalCommits {
  readonly #options: TransactionalCommitsOptions;

  constructor(options: TransactionalCommitsOptions) {
    this.#options = options;
  }

  /**
   * Reads inside the transaction, refuses before anything is written, and then writes under the same conditions: a write
   * that fails would abort the transaction before it could be learnt why. The driver's own errors pass as they are.
   */
  async commit(session: ClientSession, entries: readonly CommitEntry[]): Promise<readonly DriverCommitOutcome[]> {
    const { client, collection, namespace, reader } = this.#options;
    validateTransaction(session, client);
    const keys = entries.map(({ key }) => key);
    const found = await reader.find(keys, { session });
    const outcomes = entries.map((entry, index): DriverCommitOutcome => {
      const stored = found[index];
      if (stored instanceof UnreadableDocumentError) throw this.#error(entry.key, "CORRUPT_RECORD", stored);
      return commitTransition(entry.key, stored, entry, 0).refusal ?? { status: "committed" };
    });
    if (outcomes.some(({ status }) => status !== "committed")) return outcomes;
    const writes = entries.map((entry) => ({
      id: recordId(namespace, entry.key),
      pipeline: commitPipeline(namespace, entry),
    }));
    const results = await writeGuarded(collection, writes, { session });
    results.forEach((result, index) => {
      const key = keys[index];
      if (result.status === "failed") throw result.error;
      // An expiry that passed between the two, on an engine whose transactions see what others commit meanwhile.
      if (result.status === "refused" && key !== undefined) throw this.#error(key, "CONFLICT");
    });
    return outcomes;
  }

  #error(key: OffsetKey, code: "CORRUPT_RECORD" | "CONFLICT", cause?: Error): OffsetStoreError {
    const { store } = this.#options;
    const why = cause?.message ?? "it was changed while the transaction ran; roll it back and try again";
    const options = { code, operation: "commit", store, keys: [key], cause } as const;
    return new OffsetStoreError(`${store} store: commit for ${formatKey(key)} failed: ${why}`, options);
  }
}

/**
 * Checks a caller's session before anything is written in it.
 *
 * @throws `TypeError` if it is no session, has ended, has no transaction open, or belongs to another client than the store.
 */
function validateTransaction(session: ClientSession, client: MongoClient): void {
  if (typeof session !== "object" || session === null || typeof session.inTransaction !== "function") {
    throw new TypeError("transaction must be a ClientSession of the mongodb package, with a transaction started on it");
  }
  if (session.hasEnded) throw new TypeError("transaction is a session that has ended; start a new one");
  if (!session.inTransaction()) {
    throw new TypeError("transaction has no transaction open: call startTransaction, or commit inside withTransaction");
  }
  // The driver keeps it out of its types, and refuses such a session itself, but only after it has begun to work.
  const { client: owner } = session as { readonly client?: unknown };
  if (owner !== undefined && owner !== client) {
    throw new TypeError(
      "transaction belongs to another MongoClient than the store: open the store with the client that starts the session",
    );
  }
}
