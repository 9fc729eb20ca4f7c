import type { OffsetStoreError, OffsetStoreOperation } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { CallOptions, CommittedOutcome, FailedOutcome, TransactEntry, TransactionBody } from "../offset-store.ts";
import { batchesOf } from "./batches.ts";
import { type BoundedCall, DeadlineExceeded, withinDeadline } from "./deadline.ts";
import type { DriverKey, ListFilter, ListPage, OffsetStoreDriver } from "./driver.ts";
import { OwnTransactionRun } from "./own-transaction-run.ts";
import { RememberedRecords } from "./remembered-records.ts";
import { Retries } from "./retries.ts";
import type { StoreErrors } from "./store-errors.ts";
import type { OffsetStoreEvent } from "./store-options.ts";
import { type Verb, type VerbContext, VerbRun } from "./verb-run.ts";

/** After so many time-outs nothing of a call that was given up is under way any more. */
const LATE_TIMEOUTS = 2;
/** Times by a clock of coarse steps are rounded: by so many steps a write in time may seem later than it is. */
const CLOCK_STEPS = 3;

/** An entry of any verb, and its answer. */
type Keyed = { readonly key: OffsetKey };
type Answer = { readonly status: string };

/** Carries the calls of one store to its driver: bounds them in time, cuts batches, and knows what is in flight. */
export class StoreCalls<Transaction> {
  readonly #context: VerbContext<Transaction>;
  readonly #errors: StoreErrors;
  readonly #onRetry: (operation: OffsetStoreOperation, attempt: number, error: OffsetStoreError) => void;
  readonly #timeoutMs: number;
  readonly #maxBatch: number;
  readonly #onFailed: () => void;
  // The keys of transactions whose outcome is not known, and a value for each that was begun.
  readonly #unknown = new Map<string, object>();
  #inFlight = 0;
  #onIdle: (() => void) | undefined;

  constructor(
    driver: OffsetStoreDriver<Transaction>,
    errors: StoreErrors,
    timeoutMs: number,
    emit: (event: OffsetStoreEvent) => void,
    onFailed: () => void,
  ) {
    this.#onFailed = onFailed;
    this.#errors = errors;
    this.#onRetry = (operation, attempt, error) => {
      if (isAway(error)) onFailed();
      emit({ type: "retry", store: driver.name, operation, attempt, error });
    };
    this.#timeoutMs = timeoutMs;
    this.#maxBatch = driver.capabilities.maxBatch;
    this.#context = {
      driver,
      errors,
      remembered: new RememberedRecords(driver.capabilities.expiry.granularityMs),
      retries: (operation, call) =>
        new Retries(call as BoundedCall<never>, (attempt, error) => this.#onRetry(operation, attempt, error)),
      lateMs: LATE_TIMEOUTS * timeoutMs + CLOCK_STEPS * (driver.capabilities.expiry.granularityMs - 1),
    };
  }

  /** Resolves when nothing is in flight. What a user does in a transaction of the store's own is waited for as long as a call. */
  async idle(): Promise<void> {
    if (this.#inFlight === 0) return;
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    await withinDeadline(this.#timeoutMs, undefined, () => idle).catch(() => undefined);
  }

  retries(operation: OffsetStoreOperation, call: BoundedCall<Transaction>): Retries {
    return this.#context.retries(operation, call);
  }

  /** Bounds one piece of work in time, has closing wait for it, and gives its failure the store's form. */
  bounded<Result>(
    operation: OffsetStoreOperation,
    keys: () => readonly DriverKey[],
    signal: AbortSignal | undefined,
    run: (call: BoundedCall<Transaction>) => Promise<Result>,
    timeoutMs = this.#timeoutMs,
    onFailed?: () => void,
  ): Promise<Result> {
    this.#inFlight += 1;
    return withinDeadline<Result, Transaction>(timeoutMs, signal, run).then(
      (result) => {
        this.#left();
        return result;
      },
      (error: unknown) => {
        this.#left();
        onFailed?.();
        // Who gives up waiting says nothing of the store.
        if (signal?.aborted === true && error === signal.reason) throw error;
        const wrapped = this.#errors.wrap(operation, keys(), error);
        if (isAway(wrapped)) this.#onFailed();
        throw wrapped;
      },
    );
  }

  /** The pages of a listing, each bounded in time. `check` is called before each, and throws where no more may be asked for. */
  async *pages(
    operation: OffsetStoreOperation,
    filter: ListFilter,
    signal: AbortSignal | undefined,
    check: () => void,
  ): AsyncGenerator<ListPage, void, undefined> {
    const ended = new AbortController();
    const pages = this.#context.driver.list(filter, { signal: ended.signal })[Symbol.asyncIterator]();
    let isAnswered = true;
    try {
      for (;;) {
        check();
        isAnswered = false;
        const page = await this.bounded(
          operation,
          () => [],
          signal,
          () => pages.next(),
        );
        isAnswered = true;
        if (page.done === true) return;
        yield page.value;
      }
    } finally {
      ended.abort();
      const returned = pages.return?.();
      // Behind a page that never came, a generator's return never comes either: then it is not waited for (contract 3.9).
      if (isAnswered) await returned;
      else returned?.catch(() => undefined);
    }
  }

  /** Carries out a verb; the answers come in the order asked. */
  run<Entry extends Keyed, Outcome extends Answer>(
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    { signal }: CallOptions,
    timeoutMs = this.#timeoutMs,
  ): Promise<(Outcome | FailedOutcome)[]> {
    if (entries.length > this.#maxBatch) return this.#runParts(verb, entries, signal, timeoutMs);
    return this.#runPart(verb, entries, signal, timeoutMs);
  }

  /** Several calls that are one to their caller: closing waits for the last of them. */
  async together<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#inFlight += 1;
    try {
      return await run();
    } finally {
      this.#left();
    }
  }

  /** Carries out commits in a caller's transaction. Nothing is repeated, and the backend's errors pass (contract 3.16d). */
  async runWithin<Entry extends Keyed, Outcome extends Answer>(
    transaction: Transaction,
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    { signal }: CallOptions,
  ): Promise<(Outcome | FailedOutcome)[]> {
    this.#inFlight += 1;
    const forget = (): void => entries.forEach(({ key }) => this.#context.remembered.forget(key));
    const run = async (call: BoundedCall<Transaction>): Promise<(Outcome | FailedOutcome)[]> => {
      const outcomes: (Outcome | FailedOutcome)[] = [];
      for (const part of batchesOf(entries, this.#maxBatch)) {
        outcomes.push(...(await new VerbRun(verb, this.#context, call, part).outcomes()));
      }
      return outcomes;
    };
    // Which of the two is stored is known when the transaction has ended, and the store does not learn of that.
    forget();
    try {
      return await withinDeadline(this.#timeoutMs, signal, run, transaction);
    } catch (error) {
      if (!(error instanceof DeadlineExceeded)) throw error;
      throw this.#errors.wrap(
        verb.operation,
        entries.map(({ key }) => key),
        error,
      );
    } finally {
      forget();
      this.#left();
    }
  }

  /** Runs a user's writes and one position in a transaction of the store's own. */
  async transact(
    entry: TransactEntry,
    body: TransactionBody<Transaction>,
    { signal }: CallOptions,
  ): Promise<CommittedOutcome> {
    const { key } = entry;
    const context = {
      ...this.#context,
      timeoutMs: this.#timeoutMs,
      bounded: <Result>(run: (call: BoundedCall<Transaction>) => Promise<Result>): Promise<Result> =>
        this.bounded("transact", () => [key], signal, run),
      onRetry: (attempt: number, error: OffsetStoreError): void => this.#onRetry("transact", attempt, error),
    };
    this.#inFlight += 1;
    // Which of the two is stored is known at the end, and not always then.
    this.#context.remembered.forget(key);
    const one = new OwnTransactionRun(context, entry, body, signal);
    try {
      return await one.committed();
    } finally {
      if (one.isUnknown) this.#unknown.set(formatKey(key), {});
      this.#context.remembered.forget(key);
      this.#left();
    }
  }

  #runParts<Entry extends Keyed, Outcome extends Answer>(
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<(Outcome | FailedOutcome)[]> {
    const outcomes: (Outcome | FailedOutcome)[] = [];
    const endsAt = performance.now() + timeoutMs;
    let isLate = false;
    return this.together(async () => {
      for (const part of batchesOf(entries, this.#maxBatch)) {
        try {
          // What is not sent yet when the time is up is not sent any more.
          if (isLate) throw new DeadlineExceeded(`not sent within ${timeoutMs} ms`);
          for (const outcome of await this.#runPart(verb, part, signal, endsAt - performance.now())) {
            outcomes.push(outcome);
          }
        } catch (thrown) {
          if (signal?.aborted === true && thrown === signal.reason) throw thrown;
          const keys = part.map(({ key }) => key);
          const error = this.#errors.wrap(verb.operation, keys, thrown);
          isLate ||= error.cause instanceof DeadlineExceeded;
          // What was answered already must reach the caller: only a call without any answer rejects (contract 3.3).
          if (outcomes.length === 0) throw error;
          for (const _ of part) outcomes.push({ status: "failed", error });
        }
      }
      return outcomes;
    });
  }

  #runPart<Entry extends Keyed, Outcome extends Answer>(
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<(Outcome | FailedOutcome)[]> {
    let one: VerbRun<Entry, Outcome, Transaction> | undefined;
    const unknown = this.#unknown.size === 0 ? [] : entries.map(({ key }) => this.#unknown.get(formatKey(key)));
    const isUnknown = unknown.some((transaction) => transaction !== undefined);
    const run = (call: BoundedCall<Transaction>): Promise<(Outcome | FailedOutcome)[]> => {
      one = new VerbRun(verb, this.#context, call, entries);
      call.confirmed = isUnknown;
      return one.outcomes();
    };
    const keys = (): readonly OffsetKey[] => entries.map(({ key }) => key);
    const outcomes = this.bounded(verb.operation, keys, signal, run, timeoutMs, () => one?.abandon());
    return isUnknown ? this.#learned(entries, unknown, outcomes) : outcomes;
  }

  /** What a confirmed read shows is known from now on, except of a transaction that was begun since. */
  async #learned<Outcome extends Answer>(
    entries: readonly Keyed[],
    unknown: readonly (object | undefined)[],
    answered: Promise<(Outcome | FailedOutcome)[]>,
  ): Promise<(Outcome | FailedOutcome)[]> {
    const outcomes = await answered;
    for (const [at, { key }] of entries.entries()) {
      const name = formatKey(key);
      if (outcomes[at]?.status !== "failed" && this.#unknown.get(name) === unknown[at]) this.#unknown.delete(name);
    }
    return outcomes;
  }

  #left(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#onIdle?.();
  }
}

/** Whether an error may mean that the store was away. One that answers, with a conflict or a refusal, is there. */
function isAway({ code }: OffsetStoreError): boolean {
  return code === "UNAVAILABLE" || code === "TIMEOUT" || code === "UNKNOWN";
}
