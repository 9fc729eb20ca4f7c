import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { FailedOutcome } from "../offset-store.ts";
import type { Decide } from "./decisions.ts";
import type { Change, ReadEntry } from "./driver.ts";
import { parseRecordText, recordText } from "./record-text.ts";
import type { RememberedRecord } from "./remembered-records.ts";
import { AT_WRITE, type StoredOffset, UNKNOWN_TIME, visibleAt } from "./stored-offset.ts";

/** What an entry is decided by: what is stored, or is remembered to be. */
interface Base {
  /** The one version to expect; `null` where nothing is stored. */
  readonly expected: readonly [string | null];
  readonly stored: StoredOffset | undefined;
  /** The backend's clock, where this was read. */
  readonly now: number | undefined;
}

/** A write that was sent and may have happened. */
interface Attempt<Outcome> {
  readonly version: string;
  readonly next: StoredOffset;
  readonly outcome: Outcome;
}

/** One entry of a call on its way: what it is decided by, what is to be written, and in the end its answer. */
export class Step<Entry, Outcome> {
  readonly entry: Entry;
  readonly key: OffsetKey;
  change: Change | undefined = undefined;
  /** What is stored once the change is written. */
  next: StoredOffset | undefined = undefined;
  outcome: Outcome | FailedOutcome | undefined = undefined;
  /** Why it is not known whether a write of this step happened. */
  doubt: OffsetStoreError | undefined = undefined;
  /** What the last write without an answer expected. */
  lastExpected: string | null | undefined = undefined;
  #base: Base | undefined;
  #decided: Outcome | undefined = undefined;
  #attempts: Attempt<Outcome>[] | undefined = undefined;

  constructor(entry: Entry, key: OffsetKey, known?: RememberedRecord) {
    this.entry = entry;
    this.key = key;
    this.#base = known && { expected: known.expected, stored: known.stored, now: undefined };
  }

  /** What the step was decided by; `undefined`: nothing is stored, or nothing was read. */
  get stored(): StoredOffset | undefined {
    return this.#base?.stored;
  }

  /** Whether only a read can show how to continue. */
  get isUnknown(): boolean {
    return this.outcome === undefined && this.change === undefined && this.#base === undefined;
  }

  /**
   * Takes in what was read. A write of this step that got no answer is recognised by its version: then the step has its
   * outcome.
   *
   * @throws UnreadableRecordError, or what the driver gave, if what is stored cannot be read.
   */
  read(entry: ReadEntry, now: number): void {
    if (entry === undefined) {
      this.#base = { expected: [null], stored: undefined, now };
      return;
    }
    if ("error" in entry) throw entry.error;
    const written = this.#attempts?.find(({ version }) => version === entry.version);
    if (written !== undefined) {
      this.outcome = written.outcome;
      this.next = written.next;
      return;
    }
    this.#base = { expected: [entry.version], stored: parseRecordText(entry.value, entry.writtenAt), now };
  }

  /**
   * Decides the step: it has a change or an outcome afterwards, or is unknown.
   *
   * @param lateMs How long after the read a record counts that is written where none was.
   */
  decide(decide: Decide<Entry, Outcome>, version: string, lateMs: number, isInTransaction: boolean): void {
    const base = this.#base as Base;
    const { now } = base;
    const stored = now === undefined ? base.stored : visibleAt(base.stored, now);
    const decision = decide(this.entry, { key: this.key, stored, now, isInTransaction });
    // A refusal is never decided by what is only remembered; nor is a time known that no answer had.
    if (decision === undefined || (now === undefined && (decision.write === undefined || isUntimed(decision.write)))) {
      this.#base = undefined;
      return;
    }
    const { write, outcome } = decision;
    if (write === undefined) {
      this.outcome = outcome;
      return;
    }
    const isNew = base.expected[0] === null && now !== undefined;
    const next = isNew ? { ...write, notAfter: Math.ceil(now + lateMs) } : write;
    const wasMortal = base.stored !== undefined && base.stored.ttl !== undefined;
    this.next = next;
    this.#decided = outcome;
    this.change = {
      key: this.key,
      expected: base.expected,
      value: recordText(next),
      version,
      reclaimAfter: next.ttl ?? (wasMortal || isNew ? null : undefined),
    };
  }

  /** The change is written. */
  written(): void {
    this.outcome = this.#decided;
  }

  /** The change met another version: the step is decided again by what is read then. */
  conflicted(): void {
    this.change = undefined;
    this.#base = undefined;
  }

  /** The change may be written or not. */
  unanswered(doubt: OffsetStoreError): void {
    this.doubt = doubt;
    if (this.change !== undefined && this.next !== undefined) {
      const attempt = { version: this.change.version, next: this.next, outcome: this.#decided as Outcome };
      (this.#attempts ??= []).push(attempt);
      this.lastExpected = this.#base?.expected[0];
    }
    this.conflicted();
  }
}

function isUntimed({ claim, committedAt, resetFrom }: StoredOffset): boolean {
  return claim.claimedAt === UNKNOWN_TIME || committedAt === UNKNOWN_TIME || resetFrom?.at === UNKNOWN_TIME;
}

/** Whether later writes carry along a time of this one, so that it is worth returning. */
export function isTimed({ claim, resetFrom }: StoredOffset): boolean {
  return claim.claimedAt === AT_WRITE || resetFrom?.at === AT_WRITE;
}
