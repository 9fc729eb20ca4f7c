import { CONTRACT_VERSION, contractBrand, validateContractVersion } from "../contract-version.ts";
import { emitter } from "../emitter.ts";
import { OffsetStoreError, type OffsetStoreOperation } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type {
  CallOptions,
  ClaimEntry,
  ClaimOutcome,
  CommitEntry,
  CommitOptions,
  CommitOutcome,
  DeleteSelector,
  ExpireEntry,
  ExpireOutcome,
  FailedOutcome,
  FetchOutcome,
  OffsetFilter,
  OffsetStore,
  ResetEntry,
  ResetOutcome,
  StoreCapabilities,
} from "../offset-store.ts";
import { batchesOf } from "./batches.ts";
import { DeadlineExceeded, withinDeadline } from "./deadline.ts";
import type { DriverCommitOutcome, DriverFailure, OffsetStoreDriver } from "./driver.ts";
import { DriverCalls } from "./driver-calls.ts";
import { type OffsetStoreOptions, resolveStoreOptions } from "./store-options.ts";
import {
  validateClaimEntries,
  validateCommitEntries,
  validateExpireEntries,
  validateFilter,
  validateKeys,
  validateResetEntries,
  validateSelector,
} from "./validation.ts";

/**
 * Makes a store from a driver. It owns what is the same for all: checking arguments before any I/O, cutting batches, the
 * time-out, retries of what is safe to repeat, the closed state, aborts, and errors that name the key and what to do.
 *
 * @throws TypeError if the driver was written for another version of the contract.
 */
export function createOffsetStore<Transaction = never>(
  driver: OffsetStoreDriver<Transaction>,
  options: OffsetStoreOptions = {},
): OffsetStore<Transaction> {
  validateContractVersion(`the ${driver.name} store`, driver.contractVersion);
  return new DrivenOffsetStore(driver, options);
}

class DrivenOffsetStore<Transaction> implements OffsetStore<Transaction> {
  readonly [contractBrand] = CONTRACT_VERSION;
  readonly name: string;
  readonly namespace: string;
  readonly capabilities: StoreCapabilities;
  readonly #driver: OffsetStoreDriver<Transaction>;
  readonly #calls: DriverCalls;
  readonly #timeout: number;
  #closing: Promise<void> | undefined;

  constructor(driver: OffsetStoreDriver<Transaction>, options: OffsetStoreOptions) {
    const { namespace, timeout } = resolveStoreOptions(options, CONTRACT_VERSION);
    this.name = driver.name;
    this.namespace = namespace;
    this.capabilities = driver.capabilities;
    this.#driver = driver;
    this.#timeout = timeout;
    this.#calls = new DriverCalls(driver, timeout, emitter(options.onEvent));
  }

  async claim(entries: readonly ClaimEntry[], options: CallOptions = {}): Promise<ClaimOutcome[]> {
    const checked = validateClaimEntries(entries);
    return this.#inBatches("claim", true, checked, options, (batch, signal) => this.#driver.claim(batch, { signal }));
  }

  async commit(entries: readonly CommitEntry[], options: CommitOptions<Transaction> = {}): Promise<CommitOutcome[]> {
    const checked = validateCommitEntries(entries);
    const { transaction } = options;
    if (transaction !== undefined) return this.#commitWithin(transaction, checked, options);
    return this.#inBatches("commit", true, checked, options, (batch, signal) => this.#driver.commit(batch, { signal }));
  }

  async fetch(keys: readonly OffsetKey[], options: CallOptions = {}): Promise<FetchOutcome[]> {
    const entries = validateKeys(keys).map((key) => ({ key }));
    return this.#inBatches("fetch", true, entries, options, (batch, signal) =>
      this.#driver.fetch(
        batch.map(({ key }) => key),
        { signal },
      ),
    );
  }

  async reset(entries: readonly ResetEntry[], options: CallOptions = {}): Promise<ResetOutcome[]> {
    const checked = validateResetEntries(entries);
    // Not repeated: a session that claimed between two attempts would be fenced by the second.
    return this.#inBatches("reset", false, checked, options, (batch, signal) => this.#driver.reset(batch, { signal }));
  }

  async expire(entries: readonly ExpireEntry[], options: CallOptions = {}): Promise<ExpireOutcome[]> {
    const checked = validateExpireEntries(entries);
    return this.#inBatches("expire", true, checked, options, (batch, signal) => this.#driver.expire(batch, { signal }));
  }

  async delete(selector: DeleteSelector, options: CallOptions = {}): Promise<OffsetKey[]> {
    const checked = validateSelector(selector);
    this.#refuseIfClosed("delete");
    const keys = "keys" in checked ? checked.keys : [];
    const parts =
      "keys" in checked
        ? batchesOf(checked.keys, this.capabilities.maxBatch).map((part) => ({ keys: part }))
        : [checked];
    return this.#calls.send({ operation: "delete", options, repeatable: false }, keys, async (signal) => {
      const removed: OffsetKey[] = [];
      for (const part of parts) {
        signal.throwIfAborted();
        for (const key of await this.#driver.delete(part, { signal })) removed.push(key);
      }
      return removed;
    });
  }

  list(filter: OffsetFilter = {}, options: CallOptions = {}): AsyncIterable<OffsetRecord> {
    const checked = validateFilter(filter);
    return { [Symbol.asyncIterator]: () => this.#list(checked, options) };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#calls.settled();
      try {
        await withinDeadline(this.#timeout, undefined, async () => this.#driver.close());
      } catch (error) {
        throw this.#calls.wrap("close", [], error);
      }
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#list(filter: OffsetFilter, options: CallOptions): AsyncGenerator<OffsetRecord, void, undefined> {
    const ended = new AbortController();
    const pages = this.#driver.list(filter, { signal: ended.signal })[Symbol.asyncIterator]();
    const unreadable: { key: OffsetKey; error: unknown }[] = [];
    let answered = true;
    try {
      for (;;) {
        this.#refuseIfClosed("list");
        answered = false;
        const page = await this.#calls.send({ operation: "list", options, repeatable: false }, [], () => pages.next());
        answered = true;
        if (page.done === true) break;
        for (const listing of page.value) {
          // A page may hold many records, and its reader may take long over each.
          options.signal?.throwIfAborted();
          if (listing.status === "found") yield listing.record;
          else unreadable.push({ key: listing.key, error: listing.error });
        }
      }
    } finally {
      ended.abort();
      const returned = pages.return?.();
      // Behind a page that never came, a generator's return never comes either: then nobody waits for it (contract 3.9).
      if (answered) await returned;
      else returned?.catch(() => undefined);
    }
    const [first] = unreadable;
    if (first === undefined) return;
    const keys = unreadable.map(({ key }) => key);
    // Made anew even from an error of ours: every key that could not be read is named (contract 3.3).
    throw this.#calls.describe("list", keys, first.error);
  }

  async #commitWithin(
    transaction: Transaction,
    entries: readonly CommitEntry[],
    options: CallOptions,
  ): Promise<CommitOutcome[]> {
    this.#refuseIfClosed("commit");
    if (!this.capabilities.transactions) {
      throw new OffsetStoreError(
        `the ${this.name} store cannot commit inside a caller's transaction; commit after your own write, and make that write safe to repeat`,
        { code: "UNSUPPORTED", operation: "commit", store: this.name, keys: entries.map(({ key }) => key) },
      );
    }
    // The driver's own errors pass unwrapped and nothing is repeated: the caller's transaction decides about both.
    const send = async (signal: AbortSignal): Promise<DriverCommitOutcome[]> => {
      const answers: DriverCommitOutcome[] = [];
      for (const batch of batchesOf(entries, this.capabilities.maxBatch)) {
        signal.throwIfAborted();
        const outcomes = await this.#driver.commit(batch, { signal, transaction });
        answers.push(...this.#calls.answersTo("commit", batch, outcomes));
      }
      return answers;
    };
    const keys = entries.map(({ key }) => key);
    const outcomes = await this.#calls
      .track(withinDeadline(this.#timeout, options.signal, send))
      .catch((error: unknown) => {
        throw error instanceof DeadlineExceeded ? this.#calls.wrap("commit", keys, error) : error;
      });
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "failed") throw outcome.error;
      const key = entries[index]?.key;
      if (outcome.status === "committed" || key === undefined) return;
      const why =
        outcome.status === "behind"
          ? `its position ${outcome.record.nextOffset} is ahead of what was to be committed`
          : `the claim does not hold (${outcome.reason}${outcome.owner === undefined ? "" : ` by ${JSON.stringify(outcome.owner)}`})`;
      throw new OffsetStoreError(`${formatKey(key)} was refused: ${why}; roll the transaction back`, {
        code: "CONFLICT",
        operation: "commit",
        store: this.name,
        keys: [key],
        refusal: outcome,
      });
    });
    return entries.map(() => ({ status: "committed" }));
  }

  async #inBatches<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    operation: OffsetStoreOperation,
    repeatable: boolean,
    entries: readonly Entry[],
    options: CallOptions,
    send: (batch: readonly Entry[], signal: AbortSignal) => Promise<readonly (Outcome | DriverFailure)[]>,
  ): Promise<(Outcome | FailedOutcome)[]> {
    this.#refuseIfClosed(operation);
    return this.#calls.inBatches({ operation, options, repeatable }, entries, send);
  }

  #refuseIfClosed(operation: OffsetStoreOperation): void {
    if (this.#closing === undefined) return;
    throw new OffsetStoreError(`the ${this.name} store is closed; open it again to ${operation}`, {
      code: "CLOSED",
      operation,
      store: this.name,
    });
  }
}
