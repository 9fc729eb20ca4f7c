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
  FetchOutcome,
  OffsetFilter,
  OffsetStore,
  ResetEntry,
  ResetOutcome,
  StoreCapabilities,
} from "../offset-store.ts";
import { backoffMs, DeadlineExceeded, delay, withinDeadline } from "./deadline.ts";
import type { DriverCommitOutcome, DriverFailure, OffsetStoreDriver } from "./driver.ts";
import {
  validateClaimEntries,
  validateCommitEntries,
  validateExpireEntries,
  validateFilter,
  validateKeys,
  validateName,
  validateResetEntries,
  validateSelector,
} from "./validation.ts";

/** What is worth telling of a store's work, beside its answers. */
export interface OffsetStoreEvent {
  /** A call failed and is tried again. */
  readonly type: "retry";
  readonly store: string;
  readonly operation: OffsetStoreOperation;
  readonly attempt: number;
  readonly error: OffsetStoreError;
}

/** What every store takes. */
export interface OffsetStoreOptions {
  /** Keeps two log clusters in one backend apart. 1 to 255 UTF-8 bytes. Default `tidemark`. */
  readonly namespace?: string | undefined;
  /** Milliseconds after which a call ends with `TIMEOUT`. Default 10,000. */
  readonly timeout?: number | undefined;
  /** Hears what is worth telling. */
  readonly onEvent?: ((event: OffsetStoreEvent) => void) | undefined;
}

/** The namespace of a store that is opened without one. */
export const DEFAULT_NAMESPACE = "tidemark";
const DEFAULT_TIMEOUT_MS = 10_000;
const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 1_000;

/** Checks the options that every store takes, and fills in the defaults. */
export function resolveStoreOptions(options: OffsetStoreOptions): { namespace: string; timeout: number } {
  const { namespace = DEFAULT_NAMESPACE, timeout = DEFAULT_TIMEOUT_MS } = options;
  validateName("namespace", namespace);
  if (typeof timeout !== "number") throw new TypeError("timeout must be a number of milliseconds");
  if (!(timeout > 0 && timeout <= 2 ** 31 - 1)) {
    throw new RangeError(`timeout must be from 1 to ${2 ** 31 - 1} ms, not ${timeout}`);
  }
  return { namespace, timeout };
}

/**
 * Makes a store from a driver. It owns what is the same for all: checking arguments before any I/O, cutting batches, the
 * time-out, retries of what is safe to repeat, the closed state, aborts, and errors that name the key and what to do.
 */
export function createOffsetStore<Transaction = never>(
  driver: OffsetStoreDriver<Transaction>,
  options: OffsetStoreOptions = {},
): OffsetStore<Transaction> {
  return new DrivenOffsetStore(driver, options);
}

class DrivenOffsetStore<Transaction> implements OffsetStore<Transaction> {
  readonly name: string;
  readonly namespace: string;
  readonly capabilities: StoreCapabilities;
  readonly #driver: OffsetStoreDriver<Transaction>;
  readonly #timeout: number;
  readonly #emit: (event: OffsetStoreEvent) => void;
  readonly #inFlight = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(driver: OffsetStoreDriver<Transaction>, options: OffsetStoreOptions) {
    const { namespace, timeout } = resolveStoreOptions(options);
    this.name = driver.name;
    this.namespace = namespace;
    this.capabilities = driver.capabilities;
    this.#driver = driver;
    this.#timeout = timeout;
    this.#emit = emitter(options.onEvent);
  }

  async claim(entries: readonly ClaimEntry[], options: CallOptions = {}): Promise<ClaimOutcome[]> {
    const checked = validateClaimEntries(entries);
    return this.#inBatches("claim", checked, options, true, (batch, signal) => this.#driver.claim(batch, { signal }));
  }

  async commit(entries: readonly CommitEntry[], options: CommitOptions<Transaction> = {}): Promise<CommitOutcome[]> {
    const checked = validateCommitEntries(entries);
    const { transaction } = options;
    if (transaction !== undefined) return this.#commitWithin(transaction, checked, options);
    return this.#inBatches("commit", checked, options, true, (batch, signal) => this.#driver.commit(batch, { signal }));
  }

  async fetch(keys: readonly OffsetKey[], options: CallOptions = {}): Promise<FetchOutcome[]> {
    const entries = validateKeys(keys).map((key) => ({ key }));
    return this.#inBatches("fetch", entries, options, true, (batch, signal) =>
      this.#driver.fetch(
        batch.map(({ key }) => key),
        { signal },
      ),
    );
  }

  async reset(entries: readonly ResetEntry[], options: CallOptions = {}): Promise<ResetOutcome[]> {
    const checked = validateResetEntries(entries);
    // Not repeated: a session that claimed between two attempts would be fenced by the second.
    return this.#inBatches("reset", checked, options, false, (batch, signal) => this.#driver.reset(batch, { signal }));
  }

  async expire(entries: readonly ExpireEntry[], options: CallOptions = {}): Promise<ExpireOutcome[]> {
    const checked = validateExpireEntries(entries);
    return this.#inBatches("expire", checked, options, true, (batch, signal) => this.#driver.expire(batch, { signal }));
  }

  async delete(selector: DeleteSelector, options: CallOptions = {}): Promise<OffsetKey[]> {
    const checked = validateSelector(selector);
    this.#refuseIfClosed("delete");
    const keys = "keys" in checked ? checked.keys : [];
    return this.#call("delete", keys, options, false, async (signal) => [
      ...(await this.#driver.delete(checked, { signal })),
    ]);
  }

  list(filter: OffsetFilter = {}, options: CallOptions = {}): AsyncIterable<OffsetRecord> {
    const checked = validateFilter(filter);
    return { [Symbol.asyncIterator]: () => this.#list(checked, options) };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await Promise.allSettled(this.#inFlight);
      try {
        await withinDeadline(this.#timeout, undefined, () => this.#driver.close());
      } catch (error) {
        throw this.#wrap("close", [], error);
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
        const page = await this.#call("list", [], options, false, () => pages.next());
        answered = true;
        if (page.done === true) break;
        for (const listing of page.value) {
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
    throw this.#wrap("list", keys, first.error);
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
    const { maxBatch } = this.capabilities;
    const send = async (signal: AbortSignal): Promise<DriverCommitOutcome[]> => {
      const answers: DriverCommitOutcome[] = [];
      for (let start = 0; start < entries.length && !signal.aborted; start += maxBatch) {
        const batch = entries.slice(start, start + maxBatch);
        answers.push(...(await this.#driver.commit(batch, { signal, transaction })));
      }
      return answers;
    };
    const keys = entries.map(({ key }) => key);
    const outcomes = await this.#track(withinDeadline(this.#timeout, options.signal, send)).catch((error: unknown) => {
      throw error instanceof DeadlineExceeded ? this.#wrap("commit", keys, error) : error;
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
    entries: readonly Entry[],
    options: CallOptions,
    repeatable: boolean,
    send: (batch: readonly Entry[], signal: AbortSignal) => Promise<readonly (Outcome | DriverFailure)[]>,
  ): Promise<(Outcome | { status: "failed"; error: OffsetStoreError })[]> {
    this.#refuseIfClosed(operation);
    options.signal?.throwIfAborted();
    // All batches are one call: closing waits for the last of them.
    return this.#track(this.#oneByOne(operation, entries, options, repeatable, send));
  }

  async #oneByOne<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    operation: OffsetStoreOperation,
    entries: readonly Entry[],
    options: CallOptions,
    repeatable: boolean,
    send: (batch: readonly Entry[], signal: AbortSignal) => Promise<readonly (Outcome | DriverFailure)[]>,
  ): Promise<(Outcome | { status: "failed"; error: OffsetStoreError })[]> {
    const answers: (Outcome | { status: "failed"; error: OffsetStoreError })[] = [];
    const { maxBatch } = this.capabilities;
    const endsAt = performance.now() + this.#timeout;
    let late = false;
    for (let start = 0; start < entries.length; start += maxBatch) {
      const batch = entries.slice(start, start + maxBatch);
      const keys = batch.map(({ key }) => key);
      try {
        // What is not sent yet when the time is up is not sent any more.
        if (late) throw this.#wrap(operation, keys, new DeadlineExceeded(`not sent within ${this.#timeout} ms`));
        const outcomes = await this.#call(
          operation,
          keys,
          options,
          repeatable,
          (signal) => send(batch, signal),
          endsAt - performance.now(),
        );
        outcomes.forEach((outcome, index) => {
          const key = keys[index];
          if (key === undefined || !isFailure(outcome)) answers.push(outcome as Outcome);
          else answers.push({ status: "failed", error: this.#wrap(operation, [key], outcome.error) });
        });
      } catch (error) {
        late ||= error instanceof OffsetStoreError && error.cause instanceof DeadlineExceeded;
        // What was answered already must reach the caller: only a call without any answer rejects (contract 3.3).
        if (answers.length === 0 || !(error instanceof OffsetStoreError)) throw error;
        answers.push(...keys.map(() => ({ status: "failed" as const, error })));
      }
    }
    return answers;
  }

  async #call<Result>(
    operation: OffsetStoreOperation,
    keys: readonly OffsetKey[],
    options: CallOptions,
    repeatable: boolean,
    call: (signal: AbortSignal) => Promise<Result>,
    timeoutMs = this.#timeout,
  ): Promise<Result> {
    const attempts = async (signal: AbortSignal): Promise<Result> => {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await call(signal);
        } catch (error) {
          if (signal.aborted) throw error;
          const wrapped = this.#wrap(operation, keys, error);
          if (!repeatable || !wrapped.retryable || attempt >= 2) throw wrapped;
          this.#emit({ type: "retry", store: this.name, operation, attempt: attempt + 1, error: wrapped });
          await delay(backoffMs(attempt, RETRY_BASE_MS, RETRY_MAX_MS), signal);
        }
      }
    };
    try {
      return await this.#track(withinDeadline(timeoutMs, options.signal, attempts));
    } catch (error) {
      if (options.signal?.aborted === true && error === options.signal.reason) throw error;
      throw this.#wrap(operation, keys, error);
    }
  }

  #track<Result>(call: Promise<Result>): Promise<Result> {
    this.#inFlight.add(call);
    const ended = (): void => void this.#inFlight.delete(call);
    call.then(ended, ended);
    return call;
  }

  #refuseIfClosed(operation: OffsetStoreOperation): void {
    if (this.#closing === undefined) return;
    throw new OffsetStoreError(`the ${this.name} store is closed; open it again to ${operation}`, {
      code: "CLOSED",
      operation,
      store: this.name,
    });
  }

  #wrap(operation: OffsetStoreOperation, keys: readonly OffsetKey[], error: unknown): OffsetStoreError {
    if (error instanceof OffsetStoreError) return error;
    const { code, retryable, message } =
      error instanceof DeadlineExceeded
        ? ({ code: "TIMEOUT", retryable: true, message: `${error.message}; repeating it is safe` } as const)
        : this.#driver.classify(error);
    const about = keys.length === 0 ? "" : ` for ${keys.slice(0, 3).map(formatKey).join(", ")}`;
    const more = keys.length > 3 ? ` and ${keys.length - 3} more` : "";
    return new OffsetStoreError(`${this.name} store: ${operation}${about}${more} failed: ${message}`, {
      code,
      operation,
      store: this.name,
      retryable,
      keys,
      cause: error,
    });
  }
}

function isFailure(outcome: { readonly status: string }): outcome is DriverFailure {
  return outcome.status === "failed";
}
