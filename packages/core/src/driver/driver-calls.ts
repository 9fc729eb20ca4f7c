import { OffsetStoreError, type OffsetStoreOperation } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { CallOptions, FailedOutcome } from "../offset-store.ts";
import { batchesOf } from "./batches.ts";
import { backoffMs, DeadlineExceeded, delay, withinDeadline } from "./deadline.ts";
import type { DriverFailure, ErrorClassification, OffsetStoreDriver } from "./driver.ts";
import type { OffsetStoreEvent } from "./store-options.ts";

const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 1_000;
const MAX_ATTEMPTS = 3;

/** One verb's way to the driver. */
export interface DriverCall {
  readonly operation: OffsetStoreOperation;
  readonly options: CallOptions;
  /** Whether a failure may be answered by the same call again, without anybody noticing. */
  readonly repeatable: boolean;
}

/**
 * Carries the calls of one store to its driver: cuts batches, bounds each call in time, repeats what is safe to repeat,
 * makes errors that name the key and what to do, and knows what is in flight.
 */
export class DriverCalls {
  readonly #driver: OffsetStoreDriver<never>;
  readonly #timeout: number;
  readonly #emit: (event: OffsetStoreEvent) => void;
  readonly #inFlight = new Set<Promise<unknown>>();

  constructor(driver: OffsetStoreDriver<never>, timeoutMs: number, emit: (event: OffsetStoreEvent) => void) {
    this.#driver = driver;
    this.#timeout = timeoutMs;
    this.#emit = emit;
  }

  /** Resolves when nothing is in flight. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#inFlight);
  }

  /** Sends entries in batches that the driver can take; the answers come in the order asked. */
  async inBatches<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    call: DriverCall,
    entries: readonly Entry[],
    send: (batch: readonly Entry[], signal: AbortSignal) => Promise<readonly (Outcome | DriverFailure)[]>,
  ): Promise<(Outcome | FailedOutcome)[]> {
    call.options.signal?.throwIfAborted();
    // All batches are one call: closing waits for the last of them.
    return this.track(this.#oneByOne(call, entries, send));
  }

  async #oneByOne<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    call: DriverCall,
    entries: readonly Entry[],
    send: (batch: readonly Entry[], signal: AbortSignal) => Promise<readonly (Outcome | DriverFailure)[]>,
  ): Promise<(Outcome | FailedOutcome)[]> {
    const answers: (Outcome | FailedOutcome)[] = [];
    const { maxBatch } = this.#driver.capabilities;
    const endsAt = performance.now() + this.#timeout;
    let late = false;
    for (const batch of batchesOf(entries, maxBatch)) {
      const keys = batch.map(({ key }) => key);
      try {
        // What is not sent yet when the time is up is not sent any more.
        if (late) throw this.wrap(call.operation, keys, new DeadlineExceeded(`not sent within ${this.#timeout} ms`));
        const request = async (signal: AbortSignal) => this.answersTo(call.operation, batch, await send(batch, signal));
        const outcomes = await this.#attempts(call, keys, request, endsAt - performance.now());
        outcomes.forEach((outcome, index) => {
          const key = keys[index];
          if (key === undefined || !isFailure(outcome)) answers.push(outcome as Outcome);
          else answers.push({ status: "failed", error: this.wrap(call.operation, [key], outcome.error) });
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

  /** Sends one request, and again if that is safe and may help. */
  send<Result>(
    call: DriverCall,
    keys: readonly OffsetKey[],
    request: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return this.track(this.#attempts(call, keys, request, this.#timeout));
  }

  async #attempts<Result>(
    { operation, options, repeatable }: DriverCall,
    keys: readonly OffsetKey[],
    request: (signal: AbortSignal) => Promise<Result>,
    timeoutMs: number,
  ): Promise<Result> {
    const attempts = async (signal: AbortSignal): Promise<Result> => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await request(signal);
        } catch (error) {
          if (signal.aborted) throw error;
          const wrapped = this.wrap(operation, keys, error);
          if (!repeatable || !wrapped.retryable || attempt >= MAX_ATTEMPTS) throw wrapped;
          this.#emit({ type: "retry", store: this.#driver.name, operation, attempt, error: wrapped });
          await delay(backoffMs(attempt - 1, RETRY_BASE_MS, RETRY_MAX_MS), signal);
        }
      }
    };
    try {
      return await withinDeadline(timeoutMs, options.signal, attempts);
    } catch (error) {
      if (options.signal?.aborted === true && error === options.signal.reason) throw error;
      throw this.wrap(operation, keys, error);
    }
  }

  /** Gives a driver's answers, if there is one to each entry: with fewer, an answer would go to an entry that it is not for. */
  answersTo<Outcome>(
    operation: OffsetStoreOperation,
    batch: readonly { readonly key: OffsetKey }[],
    outcomes: readonly Outcome[],
  ): readonly Outcome[] {
    if (outcomes.length === batch.length) return outcomes;
    throw new OffsetStoreError(
      `${this.#driver.name} store: ${operation} got ${outcomes.length} answers to ${batch.length} entries: ` +
        "this is a fault of the store's driver, report it",
      { code: "UNKNOWN", operation, store: this.#driver.name, keys: batch.map(({ key }) => key) },
    );
  }

  /** Has closing wait for a call. */
  track<Result>(call: Promise<Result>): Promise<Result> {
    this.#inFlight.add(call);
    const ended = (): void => void this.#inFlight.delete(call);
    call.then(ended, ended);
    return call;
  }

  #classify(error: unknown): ErrorClassification {
    if (error instanceof OffsetStoreError) return error;
    if (!(error instanceof DeadlineExceeded)) return this.#driver.classify(error);
    return { code: "TIMEOUT", retryable: true, message: `${error.message}; repeating it is safe` };
  }

  /** The store's error for whatever was thrown; one of ours passes as it is. */
  wrap(operation: OffsetStoreOperation, keys: readonly OffsetKey[], error: unknown): OffsetStoreError {
    return error instanceof OffsetStoreError ? error : this.describe(operation, keys, error);
  }

  /** A new error that names these keys. */
  describe(operation: OffsetStoreOperation, keys: readonly OffsetKey[], error: unknown): OffsetStoreError {
    const { code, retryable, message } = this.#classify(error);
    const about = keys.length === 0 ? "" : ` for ${keys.slice(0, 3).map(formatKey).join(", ")}`;
    const more = keys.length > 3 ? ` and ${keys.length - 3} more` : "";
    return new OffsetStoreError(`${this.#driver.name} store: ${operation}${about}${more} failed: ${message}`, {
      code,
      operation,
      store: this.#driver.name,
      retryable,
      keys,
      cause: error,
    });
  }
}

function isFailure(outcome: { readonly status: string }): outcome is DriverFailure {
  return outcome.status === "failed";
}
