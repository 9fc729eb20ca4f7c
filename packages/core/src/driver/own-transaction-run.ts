import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { CommitOutcome, CommittedOutcome, TransactEntry, TransactionBody } from "../offset-store.ts";
import { backoffMs, type BoundedCall, delay, withinDeadline } from "./deadline.ts";
import { decideTransact } from "./decisions.ts";
import type { OwnTransaction } from "./driver.ts";
import { type SentPosition, settle } from "./settle.ts";
import { Step } from "./step.ts";
import type { VerbContext } from "./verb-run.ts";
import { newVersion } from "./version.ts";

const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 1_000;

/** What a transaction of the store's own is run with. */
export interface OwnTransactionContext<Transaction> extends VerbContext<Transaction> {
  readonly timeoutMs: number;
  /** Bounds one step in time, and gives its failure the store's form. */
  readonly bounded: <Result>(run: (call: BoundedCall<Transaction>) => Promise<Result>) => Promise<Result>;
  readonly onRetry: (attempt: number, error: OffsetStoreError) => void;
}

/** Nothing is stored, and it may help to begin again. */
class GaveWay {
  readonly error: unknown;
  readonly seen: OffsetStoreError;

  constructor(error: unknown, seen: OffsetStoreError) {
    this.error = error;
    this.seen = seen;
  }
}

/**
 * The user's writes and one position in a transaction that the store begins: the position is read in it and written last.
 * The user's writes take as long as they take; each step of the store's own is bounded.
 */
export class OwnTransactionRun<Transaction> {
  readonly #context: OwnTransactionContext<Transaction>;
  readonly #entry: TransactEntry;
  readonly #body: TransactionBody<Transaction>;
  readonly #signal: AbortSignal | undefined;
  /** Whether a commit was begun of which nobody knows what it came to. */
  isUnknown = false;

  constructor(
    context: OwnTransactionContext<Transaction>,
    entry: TransactEntry,
    body: TransactionBody<Transaction>,
    signal: AbortSignal | undefined,
  ) {
    this.#context = context;
    this.#entry = entry;
    this.#body = body;
    this.#signal = signal;
  }

  /** Resolves when both are stored. */
  async committed(): Promise<CommittedOutcome> {
    const endsAt = performance.now() + this.#context.timeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt();
      } catch (error) {
        if (!(error instanceof GaveWay)) throw error;
        if (performance.now() >= endsAt) throw error.error;
        this.#context.onRetry(attempt, error.seen);
        await delay(backoffMs(attempt - 1, RETRY_BASE_MS, RETRY_MAX_MS), this.#signal);
      }
    }
  }

  async #attempt(): Promise<CommittedOutcome> {
    const own = await this.#begin();
    let sent: SentPosition;
    try {
      await this.#runBody(own);
      this.#signal?.throwIfAborted();
      sent = await this.#own(() => this.#context.bounded((call) => this.#writePosition(own.transaction, call)));
    } catch (error) {
      await this.#end(own);
      throw error;
    }
    this.isUnknown = true;
    try {
      await this.#context.bounded(() => own.commit());
    } catch (error) {
      // What is still open would keep others from the row.
      const ended = this.#end(own);
      this.#signal?.throwIfAborted();
      const isCommitted = await settle(this.#context, sent, error).catch((failure: unknown) => {
        // Who gives up waiting is told that alone (contract 3.9b).
        this.#signal?.throwIfAborted();
        throw failure;
      });
      this.isUnknown = false;
      await ended;
      if (!isCommitted) await this.#own(() => Promise.reject(error));
    }
    this.isUnknown = false;
    return sent.outcome;
  }

  /** Begins one. One that comes after the wait has ended, or in the moment in which it ends, is rolled back. */
  async #begin(): Promise<OwnTransaction<Transaction>> {
    let isAwaited = true;
    let own: OwnTransaction<Transaction> | undefined;
    const begun = async (call: BoundedCall<Transaction>): Promise<OwnTransaction<Transaction>> => {
      own = await this.#context.driver.begin?.(call);
      if (own === undefined) throw new TypeError("the driver began no transaction");
      if (!isAwaited) await this.#end(own);
      return own;
    };
    try {
      return await this.#own(() => this.#context.bounded(begun));
    } catch (error) {
      isAwaited = false;
      if (own !== undefined) await this.#end(own);
      throw error;
    }
  }

  async #runBody({ transaction, isSynchronous }: OwnTransaction<Transaction>): Promise<void> {
    try {
      const result = this.#body(transaction);
      if (isSynchronous !== true) await result;
      else if (isThenable(result)) {
        // A promise continues, and its outcome is ignored; a query builder has not begun, and must not.
        if (result instanceof Promise) result.catch(() => undefined);
        throw new TypeError(
          `the body must be synchronous with the ${this.#context.driver.name} store, and returned a promise: ` +
            "the file is locked while it runs; do asynchronous work before transact",
        );
      }
    } catch (error) {
      const seen = this.#describe(error);
      throw seen.code === "CONFLICT" && seen.retryable && seen.refusal === undefined ? new GaveWay(error, seen) : error;
    }
  }

  async #writePosition(transaction: Transaction, call: BoundedCall<Transaction>): Promise<SentPosition> {
    const { driver, errors, lateMs } = this.#context;
    const { key } = this.#entry;
    const context = { transaction, signal: call.signal };
    const { now, entries } = await driver.read([key], context);
    call.check();
    errors.checkAnswers("transact", [key], entries);
    const step = new Step<TransactEntry, CommitOutcome>(this.#entry, key);
    step.read(entries[0], now);
    step.decide(decideTransact, newVersion(), lateMs, true);
    const { change, stored } = step;
    if (change === undefined || stored === undefined) {
      const { outcome } = step;
      if (outcome?.status !== "behind" && outcome?.status !== "fenced")
        throw new Error("a transaction was not decided");
      throw errors.refusedOwn(key, outcome);
    }
    const { changes } = await driver.write([change], context);
    const answer = changes === undefined ? "written" : changes[0];
    if (typeof answer === "object") throw answer.error;
    if (answer !== "written") throw errors.gaveWay(key);
    step.written();
    return { entry: this.#entry, change, before: stored, outcome: step.outcome as CommittedOutcome };
  }

  /** A step of the store's own: a failure that may pass is one to begin again after. */
  async #own<Result>(run: () => Promise<Result>): Promise<Result> {
    try {
      return await run();
    } catch (error) {
      // oxlint-disable-next-line only-throw-error -- caught here, and what it holds is thrown
      if (error instanceof OffsetStoreError && error.retryable) throw new GaveWay(error, error);
      throw error;
    }
  }

  #describe(error: unknown): OffsetStoreError {
    return this.#context.errors.wrap("transact", [this.#entry.key], error);
  }

  async #end(own: OwnTransaction<Transaction>): Promise<void> {
    // The transaction has failed already, and its caller gets that error.
    await withinDeadline(this.#context.timeoutMs, undefined, () => own.rollback()).catch(() => undefined);
  }
}

function isThenable(result: unknown): boolean {
  const { then } = (result ?? {}) as { readonly then?: unknown };
  return typeof then === "function";
}
