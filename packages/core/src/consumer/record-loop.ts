import type { LogRecord } from "../log-source.ts";
import type { Reading } from "./reading.ts";

/** What a loop asks of its consumer. */
export interface LoopOwner {
  /** Prepares what is read; called before the first record is waited for. */
  open(reading: Reading): Promise<void>;
  /** The caller has come back for the next record: commits this one (strategy `auto`), throws if it may not go on. */
  before(previous: LogRecord | undefined): void;
  /** The loop is over, by its end or because it was left: flushes. */
  left(): Promise<void>;
}

/** One `for await`: hands out the records of a reading one by one. */
export class RecordLoop implements AsyncIterator<LogRecord, void, undefined> {
  readonly reading: Reading;
  readonly #owner: LoopOwner;
  #isOpen = false;
  #hasLeft = false;
  #previous: LogRecord | undefined;
  #pending: Promise<unknown> | undefined;

  constructor(reading: Reading, owner: LoopOwner) {
    this.reading = reading;
    this.#owner = owner;
  }

  /** The record handed out last, while the caller has not come back for the next. */
  get inHand(): LogRecord | undefined {
    return this.#previous;
  }

  next(): Promise<IteratorResult<LogRecord, void>> {
    // Calls that come while one waits are answered in order.
    if (this.#pending !== undefined) return this.#keepPending(this.#pending.then(() => this.#next()));
    // A record that is there is handed out without waiting for anything.
    try {
      this.#comeBack();
      const record = this.reading.takeNow();
      if (record !== undefined) {
        this.#previous = record;
        return Promise.resolve({ done: false, value: record });
      }
    } catch (error) {
      return this.#keepPending(this.#leaveWith(error));
    }
    return this.#keepPending(this.#wait());
  }

  async return(): Promise<IteratorResult<LogRecord, void>> {
    await this.#leave();
    return { done: true, value: undefined };
  }

  #keepPending(result: Promise<IteratorResult<LogRecord, void>>): Promise<IteratorResult<LogRecord, void>> {
    const settle = (): void => {
      if (this.#pending === pending) this.#pending = undefined;
    };
    const pending: Promise<void> = result.then(settle, settle);
    this.#pending = pending;
    return result;
  }

  async #next(): Promise<IteratorResult<LogRecord, void>> {
    try {
      this.#comeBack();
    } catch (error) {
      return this.#leaveWith(error);
    }
    return this.#wait();
  }

  #comeBack(): void {
    if (this.reading.isOver) return;
    const previous = this.#previous;
    this.#previous = undefined;
    this.#owner.before(previous);
  }

  async #wait(): Promise<IteratorResult<LogRecord, void>> {
    try {
      if (!this.#isOpen && !this.reading.isOver) {
        this.#isOpen = true;
        await this.#owner.open(this.reading);
      }
      const record = await this.reading.takeNext();
      this.#previous = record;
      return record === undefined ? await this.return() : { done: false, value: record };
    } catch (error) {
      const { aborted, reason } = this.reading.signal;
      if (!aborted) return this.#leaveWith(error);
      // What the end of the reading interrupts is no failure; what ended it is.
      if (error === reason) return this.#afterEnd();
      throw error;
    }
  }

  /** A failure that ended the reading while something else was waited for. */
  async #afterEnd(): Promise<IteratorResult<LogRecord, void>> {
    await this.reading.takeNext();
    return { done: true, value: undefined };
  }

  /** An iterator that rejects is not asked to return: what is committed is flushed here. If that fails too, it is an event. */
  async #leaveWith(failure: unknown): Promise<never> {
    try {
      await this.#leave();
    } catch {
      // The loop's own failure is what the caller has to hear.
    }
    throw failure;
  }

  async #leave(): Promise<void> {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    if (this.reading.isOver) return;
    this.reading.end();
    await this.#owner.left();
  }
}
