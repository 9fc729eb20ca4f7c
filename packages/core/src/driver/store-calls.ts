import { OffsetStoreError, type OffsetStoreOperation } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CallOptions, FailedOutcome } from "../offset-store.ts";
import { batchesOf } from "./batches.ts";
import { type BoundedCall, DeadlineExceeded, withinDeadline } from "./deadline.ts";
import type { Decide } from "./decisions.ts";
import type { Change, OffsetStoreDriver } from "./driver.ts";
import { RememberedRecords } from "./remembered-records.ts";
import { Retries } from "./retries.ts";
import { isTimed, Step } from "./step.ts";
import type { StoreErrors } from "./store-errors.ts";
import type { OffsetStoreEvent } from "./store-options.ts";
import { AT_WRITE, type StoredOffset, UNKNOWN_TIME, writtenAt } from "./stored-offset.ts";
import { newVersion } from "./version.ts";

/** One verb: how its entries are decided. */
export interface Verb<Entry, Outcome> {
  readonly operation: OffsetStoreOperation;
  readonly decide: Decide<Entry, Outcome>;
  /** Whether an entry may be decided by what the store remembers. */
  readonly remembers?: boolean;
  /** Whether an entry must not be decided again on another version once a write of it got no answer. */
  readonly isOnce?: boolean;
}

/** Several time-outs: after that nothing of a call that was given up is under way any more. */
const LATE_TIMEOUTS = 2;

/** Carries calls to a driver: reads what is not known, decides, writes, and begins again with what met a conflict. */
export class StoreCalls<Transaction> {
  readonly #driver: OffsetStoreDriver<Transaction>;
  readonly #errors: StoreErrors;
  readonly #timeoutMs: number;
  readonly #emit: (event: OffsetStoreEvent) => void;
  readonly #remembered = new RememberedRecords();
  #inFlight = 0;
  #onIdle: (() => void) | undefined;

  constructor(
    driver: OffsetStoreDriver<Transaction>,
    errors: StoreErrors,
    timeoutMs: number,
    emit: (event: OffsetStoreEvent) => void,
  ) {
    this.#driver = driver;
    this.#errors = errors;
    this.#timeoutMs = timeoutMs;
    this.#emit = emit;
  }

  /** Resolves when nothing is in flight. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  retries(operation: OffsetStoreOperation, call: BoundedCall<never>): Retries {
    const store = this.#driver.name;
    return new Retries(call, (attempt, error) => this.#emit({ type: "retry", store, operation, attempt, error }));
  }

  /** Bounds one piece of work in time, has closing wait for it, and gives its failure the store's form. */
  bounded<Result>(
    operation: OffsetStoreOperation,
    keys: () => readonly OffsetKey[],
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
        if (signal?.aborted === true && error === signal.reason) throw error;
        throw this.#errors.wrap(operation, keys(), error);
      },
    );
  }

  /** Carries out a verb; the answers come in the order asked. */
  run<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    { signal }: CallOptions,
  ): Promise<(Outcome | FailedOutcome)[]> {
    if (entries.length > this.#driver.capabilities.maxBatch) return this.#runParts(verb, entries, signal);
    return this.#runPart(verb, entries, signal, this.#timeoutMs);
  }

  /** Carries out commits in a caller's transaction. Nothing is repeated, and the backend's errors pass (contract 3.16d). */
  async runWithin<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    transaction: Transaction,
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    { signal }: CallOptions,
  ): Promise<(Outcome | FailedOutcome)[]> {
    this.#inFlight += 1;
    const forget = (): void => entries.forEach(({ key }) => this.#remembered.forget(key));
    const run = async (call: BoundedCall<Transaction>): Promise<(Outcome | FailedOutcome)[]> => {
      const outcomes: (Outcome | FailedOutcome)[] = [];
      for (const part of batchesOf(entries, this.#driver.capabilities.maxBatch)) {
        const steps = part.map((entry) => new Step<Entry, Outcome>(entry, entry.key));
        outcomes.push(...(await this.#carryOut(verb, steps, call)));
      }
      return outcomes;
    };
    // Which of the two is stored is known when the transaction has ended, and nobody tells.
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

  async #runParts<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    signal: AbortSignal | undefined,
  ): Promise<(Outcome | FailedOutcome)[]> {
    const outcomes: (Outcome | FailedOutcome)[] = [];
    const endsAt = performance.now() + this.#timeoutMs;
    let isLate = false;
    // All parts are one call: closing waits for the last of them.
    this.#inFlight += 1;
    try {
      for (const part of batchesOf(entries, this.#driver.capabilities.maxBatch)) {
        try {
          // What is not sent yet when the time is up is not sent any more.
          if (isLate) throw new DeadlineExceeded(`not sent within ${this.#timeoutMs} ms`);
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
    } finally {
      this.#left();
    }
  }

  #runPart<Entry extends { readonly key: OffsetKey }, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    entries: readonly Entry[],
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<(Outcome | FailedOutcome)[]> {
    const steps = entries.map((entry) => {
      const known = verb.remembers === true ? this.#remembered.get(entry.key) : undefined;
      return new Step<Entry, Outcome>(entry, entry.key, known);
    });
    const run = (call: BoundedCall<Transaction>): Promise<(Outcome | FailedOutcome)[]> =>
      this.#writeAtOnce(verb, steps, call) ?? this.#carryOut(verb, steps, call);
    const keys = (): readonly OffsetKey[] => entries.map(({ key }) => key);
    return this.bounded(verb.operation, keys, signal, run, timeoutMs, () => {
      // What got no answer is read before it is written again.
      for (const { key, outcome } of steps) if (outcome === undefined) this.#remembered.forget(key);
    });
  }

  /** The way of a steady commit: everything is known, and one write is all. `undefined`: something must be read. */
  #writeAtOnce<Entry, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    steps: readonly Step<Entry, Outcome>[],
    call: BoundedCall<Transaction>,
  ): Promise<(Outcome | FailedOutcome)[]> | undefined {
    if (verb.remembers !== true || steps.length === 0) return undefined;
    for (const step of steps) if (step.isUnknown) return undefined;
    const version = newVersion();
    const changes: Change[] = [];
    for (const step of steps) {
      step.decide(verb.decide, version, 0, false);
      if (step.change === undefined) return undefined;
      changes.push(step.change);
    }
    call.timed = steps.some(({ next }) => next !== undefined && isTimed(next));
    const sent = new Sent();
    return this.#driver.write(changes, call).then(
      (answer) => {
        if (answer.changes !== undefined) return this.#carryOut(verb, steps, call, { sent, answer });
        const outcomes: Outcome[] = [];
        const expected: readonly [string] = [version];
        for (const step of steps) {
          step.written();
          this.#remember(step, expected, answer.writtenAt, sent);
          outcomes.push(step.outcome as Outcome);
        }
        return outcomes;
      },
      (error: unknown) => this.#carryOut(verb, steps, call, { sent, error }),
    );
  }

  async #carryOut<Entry, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    steps: readonly Step<Entry, Outcome>[],
    call: BoundedCall<Transaction>,
    first?: { readonly sent: Sent; readonly answer?: WriteResult; readonly error?: unknown },
  ): Promise<(Outcome | FailedOutcome)[]> {
    const retries = this.retries(verb.operation, call as BoundedCall<never>);
    let pending = first;
    for (;;) {
      if (pending === undefined) {
        await this.#readUnknown(verb, steps, call, retries);
        if (!this.#decideAll(verb, steps, call)) continue;
      }
      const writing = steps.filter(({ change, outcome }) => change !== undefined && outcome === undefined);
      if (writing.length === 0) return steps.map(({ outcome }) => outcome as Outcome | FailedOutcome);
      const { sent, answer, error } = pending ?? (await this.#write(writing, call));
      pending = undefined;
      if (answer === undefined) await this.#unanswered(verb, writing, error, call, retries);
      else await this.#answered(verb, writing, answer, sent, call, retries);
    }
  }

  async #readUnknown<Entry, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    steps: readonly Step<Entry, Outcome>[],
    call: BoundedCall<Transaction>,
    retries: Retries,
  ): Promise<void> {
    const unknown = steps.filter((step) => step.isUnknown);
    if (unknown.length === 0) return;
    const keys = unknown.map(({ key }) => key);
    for (;;) {
      call.check();
      try {
        const { now, entries } = await this.#driver.read(keys, call);
        call.check();
        this.#errors.checkAnswers(verb.operation, keys, entries);
        for (const [at, step] of unknown.entries()) this.#readOne(verb, step, entries[at], now);
        return;
      } catch (error) {
        if (call.transaction !== undefined) throw error;
        call.check();
        await retries.afterFailure(this.#errors.wrap(verb.operation, keys, error));
      }
    }
  }

  #readOne<Entry, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    step: Step<Entry, Outcome>,
    entry: Parameters<Step<Entry, Outcome>["read"]>[0],
    now: number,
  ): void {
    const { doubt } = step;
    try {
      step.read(entry, now);
    } catch (error) {
      // Whoever wrote that may have left the version as it was: what is remembered would be written over it.
      this.#remembered.forget(step.key);
      step.outcome = { status: "failed", error: this.#errors.wrap(verb.operation, [step.key], error) };
      return;
    }
    if (step.outcome !== undefined) {
      // Written, although no answer came.
      if (entry !== undefined && "writtenAt" in entry) {
        this.#remember(step, [entry.version], entry.writtenAt, new Sent(now - entry.writtenAt));
      }
    } else if (doubt !== undefined && verb.isOnce === true && (entry?.version ?? null) !== step.lastExpected) {
      // Somebody has written since, a session that claimed perhaps: to write again would take that back.
      step.outcome = { status: "failed", error: doubt };
    }
  }

  /** Gives false if something has to be read first. */
  #decideAll<Entry, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    steps: readonly Step<Entry, Outcome>[],
    call: BoundedCall<Transaction>,
  ): boolean {
    const version = newVersion();
    let isDecided = true;
    for (const step of steps) {
      if (step.outcome !== undefined || step.change !== undefined) continue;
      step.decide(verb.decide, version, LATE_TIMEOUTS * this.#timeoutMs, call.transaction !== undefined);
      if (step.isUnknown) isDecided = false;
    }
    return isDecided;
  }

  async #write(
    writing: readonly Step<unknown, unknown>[],
    call: BoundedCall<Transaction>,
  ): Promise<{ readonly sent: Sent; readonly answer?: WriteResult; readonly error?: unknown }> {
    call.check();
    const sent = new Sent();
    call.timed = writing.some(({ next }) => next !== undefined && isTimed(next));
    try {
      const answer = await this.#driver.write(
        writing.map(({ change }) => change as Change),
        call,
      );
      return { sent, answer };
    } catch (error) {
      if (call.transaction !== undefined) throw error;
      return { sent, error };
    }
  }

  async #unanswered<Entry, Outcome>(
    verb: Verb<Entry, Outcome>,
    writing: readonly Step<Entry, Outcome>[],
    error: unknown,
    call: BoundedCall<Transaction>,
    retries: Retries,
  ): Promise<void> {
    call.check();
    const keys = writing.map(({ key }) => key);
    const wrapped = this.#errors.wrap(verb.operation, keys, error);
    for (const step of writing) {
      step.unanswered(wrapped);
      this.#remembered.forget(step.key);
    }
    await retries.afterFailure(wrapped);
  }

  async #answered<Entry, Outcome extends { readonly status: string }>(
    verb: Verb<Entry, Outcome>,
    writing: readonly Step<Entry, Outcome>[],
    { writtenAt: time, changes }: WriteResult,
    sent: Sent,
    call: BoundedCall<Transaction>,
    retries: Retries,
  ): Promise<void> {
    if (changes !== undefined) {
      const keys = writing.map(({ key }) => key);
      this.#errors.checkAnswers(verb.operation, keys, changes);
    }
    let hasConflict = false;
    let failure: OffsetStoreError | undefined;
    for (const [at, step] of writing.entries()) {
      const answer = changes === undefined ? "written" : changes[at];
      if (answer === "written") {
        step.written();
        if (call.transaction === undefined) this.#remember(step, [step.change?.version ?? ""], time, sent);
      } else if (answer === "conflict") {
        this.#remembered.forget(step.key);
        step.conflicted();
        hasConflict = true;
      } else if (typeof answer === "object") {
        if (call.transaction !== undefined) throw answer.error;
        this.#remembered.forget(step.key);
        const error = this.#errors.wrap(verb.operation, [step.key], answer.error);
        if (error.retryable) {
          failure ??= error;
          step.unanswered(error);
        } else step.outcome = { status: "failed", error };
      }
    }
    if (failure !== undefined) await this.#retryFailed(writing, failure, retries);
    else if (hasConflict) await retries.afterConflict();
  }

  /** Others of the call may be answered: those alone that failed are tried again, and fail alone. */
  async #retryFailed<Entry, Outcome>(
    writing: readonly Step<Entry, Outcome>[],
    failure: OffsetStoreError,
    retries: Retries,
  ): Promise<void> {
    try {
      await retries.afterFailure(failure);
    } catch (error) {
      if (error !== failure) throw error;
      for (const step of writing) {
        if (step.outcome === undefined && step.doubt !== undefined)
          step.outcome = { status: "failed", error: step.doubt };
      }
    }
  }

  #remember<Entry, Outcome>(
    { key, next }: Step<Entry, Outcome>,
    expected: readonly [string],
    time: number | undefined,
    { at, wall }: Sent,
  ): void {
    // Without a claim nobody commits: there is nothing to save a read for.
    if (next === undefined || next.claim.token === undefined || next.claim.released) {
      return this.#remembered.forget(key);
    }
    const { notAfter } = next;
    if (notAfter !== undefined && time !== undefined && time >= notAfter) return this.#remembered.forget(key);
    const stored = time === undefined ? untimed(next) : writtenAt(next, time);
    this.#remembered.set(key, { expected, stored, sentAt: at, sentAtWall: wall });
  }

  #left(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#onIdle?.();
  }
}

type WriteResult = Awaited<ReturnType<OffsetStoreDriver["write"]>>;

/** When something was sent, by both clocks of this process. */
class Sent {
  readonly at: number;
  readonly wall: number;

  constructor(agoMs = 0) {
    this.at = performance.now() - agoMs;
    this.wall = Date.now() - agoMs;
  }
}

/** The record of a write whose time nobody told. In place: nobody else has it yet. */
function untimed(stored: StoredOffset): StoredOffset {
  const own = stored as { -readonly [Field in keyof StoredOffset]: StoredOffset[Field] };
  if (own.committedAt === AT_WRITE) own.committedAt = UNKNOWN_TIME;
  own.notAfter = undefined;
  if (own.claim.claimedAt === AT_WRITE) own.claim = { ...own.claim, claimedAt: UNKNOWN_TIME };
  if (own.resetFrom?.at === AT_WRITE) own.resetFrom = { ...own.resetFrom, at: UNKNOWN_TIME };
  return own;
}
