import { OffsetStoreError, type OffsetStoreOperation } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { FailedOutcome } from "../offset-store.ts";
import type { BoundedCall } from "./deadline.ts";
import type { Decide } from "./decisions.ts";
import type { Change, OffsetStoreDriver, ReadEntry, WriteAnswer } from "./driver.ts";
import { Pace } from "./pace.ts";
import type { RememberedRecords } from "./remembered-records.ts";
import type { Retries } from "./retries.ts";
import { Sent } from "./sent.ts";
import { isTimed, Step } from "./step.ts";
import type { StoreErrors } from "./store-errors.ts";
import { stamped, untimed } from "./stored-offset.ts";
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

/** What all calls of one store work with. */
export interface VerbContext<Transaction> {
  readonly driver: OffsetStoreDriver<Transaction>;
  readonly errors: StoreErrors;
  readonly remembered: RememberedRecords;
  readonly retries: (operation: OffsetStoreOperation, call: BoundedCall<Transaction>) => Retries;
  /** How long after a read a record counts that is written where none was. */
  readonly lateMs: number;
}

/** More entries than this are decided in parts, between which everything else in the process has its turn. */
const AT_ONCE = 1_000;

/** What a write came to: its answer, or the error that came instead of one. */
interface Written {
  readonly sent: Sent;
  readonly answer?: WriteAnswer;
  readonly error?: unknown;
}

/** The entries of one batch on their way: reads what is not known, decides, writes, and again what met a conflict. */
export class VerbRun<
  Entry extends { readonly key: OffsetKey },
  Outcome extends { readonly status: string },
  Transaction,
> {
  readonly #verb: Verb<Entry, Outcome>;
  readonly #context: VerbContext<Transaction>;
  readonly #call: BoundedCall<Transaction>;
  readonly #steps: readonly Step<Entry, Outcome>[];

  constructor(
    verb: Verb<Entry, Outcome>,
    context: VerbContext<Transaction>,
    call: BoundedCall<Transaction>,
    entries: readonly Entry[],
  ) {
    this.#verb = verb;
    this.#context = context;
    this.#call = call;
    const mayRemember = verb.remembers === true && call.transaction === undefined;
    this.#steps = entries.map(
      (entry) =>
        new Step<Entry, Outcome>(entry, entry.key, mayRemember ? context.remembered.get(entry.key) : undefined),
    );
  }

  /** Gives the answers, in the order asked. */
  outcomes(): Promise<(Outcome | FailedOutcome)[]> {
    return (this.#steps.length > AT_ONCE ? undefined : this.#writeAtOnce()) ?? this.#carryOut();
  }

  /** The call has ended early: what got no answer is read before it is written again. */
  abandon(): void {
    for (const { key, outcome } of this.#steps) if (outcome === undefined) this.#context.remembered.forget(key);
  }

  /** The way of a steady commit: everything is known, and one write is all. `undefined`: something must be read. */
  #writeAtOnce(): Promise<(Outcome | FailedOutcome)[]> | undefined {
    const steps = this.#steps;
    if (steps.length === 0) return undefined;
    for (const step of steps) if (step.isUnknown) return undefined;
    const version = newVersion();
    const changes: Change[] = [];
    for (const step of steps) {
      step.decide(this.#verb.decide, version, 0, false);
      if (step.change !== undefined) changes.push(step.change);
    }
    // All are asked: what has to be read is read together.
    if (changes.length < steps.length) return undefined;
    this.#call.timed = steps.some(({ next }) => next !== undefined && isTimed(next));
    const sent = new Sent();
    return this.#context.driver.write(changes, this.#call).then(
      (answer) => {
        if (answer.changes !== undefined) return this.#carryOut({ sent, answer });
        const outcomes: Outcome[] = [];
        const expected: readonly [string] = [version];
        for (const step of steps) {
          step.written();
          this.#remember(step, expected, answer.writtenAt, sent);
          outcomes.push(step.outcome as Outcome);
        }
        return outcomes;
      },
      (error: unknown) => this.#carryOut({ sent, error }),
    );
  }

  async #carryOut(first?: Written): Promise<(Outcome | FailedOutcome)[]> {
    const retries = this.#context.retries(this.#verb.operation, this.#call);
    try {
      await this.#answerAll(retries, first);
    } catch (error) {
      this.#call.check();
      const isPartial = this.#steps.some(({ outcome }) => outcome !== undefined);
      // What was answered already must reach the caller: only a call without any answer rejects (contract 3.3).
      if (!isPartial || this.#call.transaction !== undefined || !(error instanceof OffsetStoreError)) throw error;
      for (const step of this.#steps) step.outcome ??= { status: "failed", error: step.doubt ?? error };
    }
    return this.#steps.map(({ outcome }) => outcome as Outcome | FailedOutcome);
  }

  async #answerAll(retries: Retries, first: Written | undefined): Promise<void> {
    let written = first;
    for (;;) {
      if (written === undefined) {
        await this.#readUnknown(retries);
        if (!(await this.#decideAll())) continue;
      }
      const writing = this.#steps.filter(({ change, outcome }) => change !== undefined && outcome === undefined);
      if (writing.length === 0) return;
      if (this.#isRefusedWithin()) {
        // The call rejects, and of it nothing may be in the caller's transaction (contract 3.16b).
        for (const step of writing) step.written();
        return;
      }
      const { sent, answer, error } = written ?? (await this.#write(writing));
      written = undefined;
      if (answer === undefined) await this.#unanswered(writing, error, retries);
      else await this.#answered(writing, answer, sent, retries);
    }
  }

  #isRefusedWithin(): boolean {
    if (this.#call.transaction === undefined) return false;
    return this.#steps.some(({ outcome }) => outcome !== undefined && outcome.status !== "committed");
  }

  async #readUnknown(retries: Retries): Promise<void> {
    const { driver, errors } = this.#context;
    const unknown = this.#steps.filter((step) => step.isUnknown);
    if (unknown.length === 0) return;
    const keys = keysOf(unknown);
    for (;;) {
      this.#call.check();
      try {
        const { now, entries } = await driver.read(keys, this.#call);
        this.#call.check();
        errors.checkAnswers(this.#verb.operation, keys, entries);
        const pace = new Pace();
        for (const [at, step] of unknown.entries()) {
          const rest = pace.step();
          if (rest !== undefined) await rest;
          this.#readOne(step, entries[at], now);
        }
        return;
      } catch (error) {
        await this.#failed(keys, error, retries);
      }
    }
  }

  #readOne(step: Step<Entry, Outcome>, entry: ReadEntry, now: number): void {
    const { errors, remembered } = this.#context;
    try {
      step.read(entry, now);
    } catch (error) {
      // The writer of that may have left the version as it was: what is remembered would be written over it.
      remembered.forget(step.key);
      step.outcome = { status: "failed", error: errors.wrap(this.#verb.operation, [step.key], error) };
      return;
    }
    if (step.outcome !== undefined) {
      // Written, although no answer came.
      if (entry !== undefined && "writtenAt" in entry) {
        this.#remember(step, [entry.version], entry.writtenAt, new Sent(now - entry.writtenAt));
      }
    } else if (
      step.doubt !== undefined &&
      this.#verb.isOnce === true &&
      (entry?.version ?? null) !== step.lastExpected
    ) {
      // It was written since, by a session that claimed perhaps: to write again would take that back.
      step.outcome = { status: "failed", error: step.doubt };
    }
  }

  /** Gives false if something has to be read first. */
  async #decideAll(): Promise<boolean> {
    const version = newVersion();
    const isInTransaction = this.#call.transaction !== undefined;
    let isDecided = true;
    const pace = new Pace();
    for (const step of this.#steps) {
      const rest = pace.step();
      if (rest !== undefined) await rest;
      if (step.outcome !== undefined || step.change !== undefined) continue;
      step.decide(this.#verb.decide, version, this.#context.lateMs, isInTransaction);
      if (step.isUnknown) isDecided = false;
    }
    return isDecided;
  }

  async #write(writing: readonly Step<Entry, Outcome>[]): Promise<Written> {
    this.#call.check();
    this.#call.timed = writing.some(({ next }) => next !== undefined && isTimed(next));
    const sent = new Sent();
    try {
      const changes = writing.map(({ change }) => change as Change);
      return { sent, answer: await this.#context.driver.write(changes, this.#call) };
    } catch (error) {
      if (this.#call.transaction !== undefined) throw error;
      return { sent, error };
    }
  }

  async #unanswered(writing: readonly Step<Entry, Outcome>[], error: unknown, retries: Retries): Promise<void> {
    const keys = keysOf(writing);
    const wrapped = this.#context.errors.wrap(this.#verb.operation, keys, error);
    this.#call.confirmed = true;
    for (const step of writing) {
      step.unanswered(wrapped);
      this.#context.remembered.forget(step.key);
    }
    await this.#failed(keys, wrapped, retries);
  }

  async #answered(
    writing: readonly Step<Entry, Outcome>[],
    { writtenAt: time, changes }: WriteAnswer,
    sent: Sent,
    retries: Retries,
  ): Promise<void> {
    const { errors, remembered } = this.#context;
    if (changes !== undefined) errors.checkAnswers(this.#verb.operation, keysOf(writing), changes);
    let hasConflict = false;
    let failure: OffsetStoreError | undefined;
    const pace = new Pace();
    for (const [at, step] of writing.entries()) {
      const rest = pace.step();
      if (rest !== undefined) await rest;
      const answer = changes === undefined ? "written" : changes[at];
      if (answer === "written") {
        step.written();
        if (this.#call.transaction === undefined) this.#remember(step, [step.change?.version ?? ""], time, sent);
      } else if (answer === "conflict") {
        remembered.forget(step.key);
        step.conflicted();
        hasConflict = true;
      } else if (typeof answer === "object") {
        if (this.#call.transaction !== undefined) throw answer.error;
        remembered.forget(step.key);
        const error = errors.wrap(this.#verb.operation, [step.key], answer.error);
        if (error.retryable) {
          failure ??= error;
          this.#call.confirmed = true;
          step.unanswered(error);
        } else step.outcome = { status: "failed", error };
      }
    }
    if (failure !== undefined) await this.#failed([], failure, retries);
    else if (hasConflict) await retries.afterConflict();
  }

  /** Waits until the next attempt, if there is one. In a caller's transaction there is none (contract 3.16d). */
  async #failed(keys: readonly OffsetKey[], error: unknown, retries: Retries): Promise<void> {
    if (this.#call.transaction !== undefined) throw error;
    this.#call.check();
    await retries.afterFailure(this.#context.errors.wrap(this.#verb.operation, keys, error));
  }

  #remember(
    { key, next }: Step<Entry, Outcome>,
    expected: readonly [string],
    time: number | undefined,
    sent: Sent,
  ): void {
    const { remembered } = this.#context;
    // Without a claim there are no commits: there is nothing to save a read for.
    if (next === undefined || next.claim.token === undefined || next.claim.released) return remembered.forget(key);
    const { notAfter } = next;
    if (notAfter !== undefined && time !== undefined && time >= notAfter) return remembered.forget(key);
    const stored = time === undefined ? untimed(next) : stamped(next, time);
    remembered.set(key, { expected, stored, sent });
  }
}

function keysOf(steps: readonly { readonly key: OffsetKey }[]): OffsetKey[] {
  return steps.map(({ key }) => key);
}
