import {
  type ClaimEntry,
  type CommitEntry,
  type DeleteSelector,
  type ExpireEntry,
  formatKey,
  type OffsetFilter,
  type OffsetKey,
  OffsetStoreError,
  type ResetEntry,
  type StoreCapabilities,
} from "@tidemark/core";
import {
  claimTransition,
  commitTransition,
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
  expireTransition,
  type OffsetStoreDriver,
  resetTransition,
  type StoredOffset,
  toOffsetRecord,
  visibleAt,
} from "@tidemark/core/driver";
import type { Connection } from "./connection.ts";
import { type ListingPage, RecordSelection } from "./record-selection.ts";
import { RecordStatements } from "./record-statements.ts";
import { classifySqliteError } from "./sqlite-errors.ts";
import { type SqliteTransaction, validateTransaction } from "./sqlite-transaction.ts";
import { UnreadableRowError } from "./stored-row.ts";

/** What a driver is made from. */
export interface SqliteDriverOptions {
  readonly connection: Connection;
  /** The file as messages name it. */
  readonly file: string;
  readonly namespace: string;
  readonly durability: StoreCapabilities["durability"];
}

/**
 * The driver over one connection. Each write is BEGIN IMMEDIATE, the row as it is, the contract's transition, the row as
 * it becomes, COMMIT: one atomic step, since SQLite lets only one handle at a time begin (contract 3.1).
 */
export class SqliteDriver implements OffsetStoreDriver<SqliteTransaction> {
  readonly name = "sqlite";
  readonly capabilities: StoreCapabilities;
  readonly #connection: Connection;
  readonly #file: string;
  readonly #namespace: string;
  readonly #records: RecordStatements;
  readonly #selection: RecordSelection;

  constructor({ connection, file, namespace, durability }: SqliteDriverOptions) {
    this.#connection = connection;
    this.#file = file;
    this.#namespace = namespace;
    this.#records = new RecordStatements(connection.database, namespace);
    this.#selection = new RecordSelection(connection.database, namespace);
    this.capabilities = Object.freeze({
      atomicBatch: true,
      transactions: true,
      durability,
      expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
      maxBatch: 1_000,
    });
  }

  claim(entries: readonly ClaimEntry[], { signal }: DriverContext): Promise<readonly DriverClaimOutcome[]> {
    return this.#write<ClaimEntry, DriverClaimOutcome>(entries, signal, (entry, stored, now) => {
      this.#records.write(entry.key, claimTransition(stored, entry, now));
      return { status: "claimed", record: stored && toOffsetRecord(entry.key, stored) };
    });
  }

  async commit(
    entries: readonly CommitEntry[],
    { signal, transaction }: DriverCommitContext<SqliteTransaction>,
  ): Promise<readonly DriverCommitOutcome[]> {
    if (transaction !== undefined) return this.#commitWithin(transaction, entries);
    return this.#write<CommitEntry, DriverCommitOutcome>(entries, signal, (entry, stored, now) => {
      const { write, refusal } = commitTransition(entry.key, stored, entry, now);
      if (refusal !== undefined) return refusal;
      this.#records.write(entry.key, write);
      return { status: "committed" };
    });
  }

  fetch(keys: readonly OffsetKey[], { signal }: DriverContext): Promise<readonly DriverFetchOutcome[]> {
    return this.#connection.read(signal, () => {
      const now = this.#records.now();
      return keys.map((key) =>
        readable<DriverFetchOutcome>(() => {
          const stored = visibleAt(this.#records.read(key), now);
          return stored === undefined ? { status: "absent" } : { status: "found", record: toOffsetRecord(key, stored) };
        }),
      );
    });
  }

  async *list(
    filter: OffsetFilter,
    { signal }: DriverContext,
  ): AsyncGenerator<readonly DriverListing[], void, undefined> {
    let after: OffsetKey | undefined;
    do {
      const from = after;
      const page: ListingPage = await this.#connection.read(signal, () => this.#selection.page(filter, from));
      if (page.listings.length > 0) yield page.listings;
      after = page.last;
    } while (after !== undefined);
  }

  reset(entries: readonly ResetEntry[], { signal }: DriverContext): Promise<readonly DriverResetOutcome[]> {
    return this.#write<ResetEntry, DriverResetOutcome>(entries, signal, (entry, stored, now) => {
      this.#records.write(entry.key, resetTransition(stored, entry, now));
      return { status: "reset" };
    });
  }

  expire(entries: readonly ExpireEntry[], { signal }: DriverContext): Promise<readonly DriverExpireOutcome[]> {
    return this.#write<ExpireEntry, DriverExpireOutcome>(entries, signal, (entry, stored, now) => {
      if (stored === undefined) return { status: "absent" };
      this.#records.write(entry.key, expireTransition(stored, entry, now));
      return { status: "set" };
    });
  }

  /** In several transactions where there is much to remove, so that other handles have their turn in between. */
  async delete(selector: DeleteSelector, { signal }: DriverContext): Promise<readonly OffsetKey[]> {
    if ("keys" in selector) {
      const { keys } = selector;
      return this.#connection.write(signal, () => keys.filter((key) => this.#selection.deleteKey(key)));
    }
    const removed: OffsetKey[] = [];
    for (let isLast = false; !isLast;) {
      const step = await this.#connection.write(signal, () =>
        "expired" in selector ? this.#selection.deleteExpired() : this.#selection.deleteMatching(selector),
      );
      removed.push(...step.keys);
      ({ isLast } = step);
    }
    return removed;
  }

  classify(error: unknown): ErrorClassification {
    return classifySqliteError(error, this.#file);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #write<Entry extends { readonly key: OffsetKey }, Outcome>(
    entries: readonly Entry[],
    signal: AbortSignal,
    step: (entry: Entry, stored: StoredOffset | undefined, now: number) => Outcome,
  ): Promise<readonly (Outcome | DriverFailure)[]> {
    return this.#connection.write(signal, () => {
      this.#selection.sweep();
      const now = this.#records.now();
      return entries.map((entry) => readable(() => step(entry, visibleAt(this.#records.read(entry.key), now), now)));
    });
  }

  /** Without an await: the caller's transaction has the positions in it when the call to `commit` is made. */
  #commitWithin(transaction: SqliteTransaction, entries: readonly CommitEntry[]): readonly DriverCommitOutcome[] {
    validateTransaction(transaction, (path) => this.#connection.isSameFile(path));
    const records = new RecordStatements(transaction, this.#namespace);
    const now = records.now();
    const transitions = entries.map((entry) => {
      try {
        return { entry, ...commitTransition(entry.key, visibleAt(records.read(entry.key), now), entry, now) };
      } catch (error) {
        if (!(error instanceof UnreadableRowError)) throw error;
        throw new OffsetStoreError(`sqlite store: commit for ${formatKey(entry.key)} failed: ${error.message}`, {
          code: "CORRUPT_RECORD",
          operation: "commit",
          store: this.name,
          keys: [entry.key],
          cause: error,
        });
      }
    });
    // One refusal refuses all: nothing is written even if the caller goes on and commits.
    const refused = transitions.some(({ refusal }) => refusal !== undefined);
    return transitions.map(({ entry, write, refusal }) => {
      if (refusal !== undefined) return refusal;
      if (!refused) records.write(entry.key, write);
      return { status: "committed" };
    });
  }
}

/** Gives what one entry comes to, or that what is stored for it cannot be read; any other error ends the whole call. */
function readable<Outcome>(answer: () => Outcome): Outcome | DriverFailure {
  try {
    return answer();
  } catch (error) {
    if (error instanceof UnreadableRowError) return { status: "failed", error };
    throw error;
  }
}
