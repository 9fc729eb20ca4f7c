import type { Reading } from "./reading.ts";

/** What a loop asks of its consumer. */
export interface LoopOwner {
  /** Prepares what is read; called before the first record is waited for. */
  open(reading: Reading): Promise<void>;
  /** The caller has come back for the next: commits what it had, if it had any (strategy `auto`); throws if it may not continue. */
  before(hasPrevious: boolean): void;
  /** The loop is over, by its end or because it was left: flushes, or waits for the closing that ended it to do so. */
  left(): Promise<void>;
}

/** What a loop hands out: records, or batches of them. */
export interface LoopSource<Item> {
  /** One that is there and may be handed out without waiting for anything. */
  takeNow(): Item | undefined;
  /** Waits for the next; `undefined` when there is nothing more. */
  takeNext(): Promise<Item | undefined>;
}

/** One `for await` over a reading. */
export class ReadingLoop<Item extends { readonly partition: number }> implements AsyncIterator<Item, void, undefined> {
  readonly reading: Reading;
  readonly #source: LoopSource<Item>;
  readonly #owner: LoopOwner;
  #isOpen = false;
  #hasLeft = false;
  #previous: Item | undefined;
  #pending: Promise<unknown> | undefined;

  constructor(reading: Reading, source: LoopSource<Item>, owner: LoopOwner) {
    this.reading = reading;
    this.#source = source;
    this.#owner = owner;
  }

  /** What was handed out last, while the caller has not come back for the next. */
  get inHand(): Item | undefined {
    return this.#previous;
  }

  next(): Promise<IteratorResult<Item, void>> {
    // Calls that come while one waits are answered in order.
    if (this.#pending !== undefined) return this.#keepPending(this.#pending.then(() => this.#next()));
    // What is there is handed out without waiting for anything.
    try {
      this.#comeBack();
      const item = this.#source.takeNow();
      if (item !== undefined) {
        this.#previous = item;
        return Promise.resolve({ done: false, value: item });
      }
    } catch (error) {
      return this.#keepPending(this.#leaveWith(error));
    }
    return this.#keepPending(this.#wait());
  }

  async return(): Promise<IteratorResult<Item, void>> {
    await this.#leave();
    return { done: true, value: undefined };
  }

  #keepPending(result: Promise<IteratorResult<Item, void>>): Promise<IteratorResult<Item, void>> {
    const settle = (): void => {
      if (this.#pending === pending) this.#pending = undefined;
    };
    const pending: Promise<void> = result.then(settle, settle);
    this.#pending = pending;
    return result;
  }

  async #next(): Promise<IteratorResult<Item, void>> {
    try {
      this.#comeBack();
    } catch (error) {
      return this.#leaveWith(error);
    }
    return this.#wait();
  }

  #comeBack(): void {
    if (this.reading.isOver) return;
    const hasPrevious = this.#previous !== undefined;
    this.#previous = undefined;
    this.#owner.before(hasPrevious);
  }

  async #wait(): Promise<IteratorResult<Item, void>> {
    try {
      if (!this.#isOpen && !this.reading.isOver) {
        this.#isOpen = true;
        await this.#owner.open(this.reading);
      }
      const item = await this.#source.takeNext();
      this.#previous = item;
      return item === undefined ? await this.return() : { done: false, value: item };
    } catch (error) {
      const { aborted, reason } = this.reading.signal;
      // What the end of the reading interrupts is no failure; what ended it is.
      if (aborted && error === reason) return this.#afterEnd();
      return this.#leaveWith(error);
    }
  }

  /** A failure that ended the reading while something else was waited for. */
  async #afterEnd(): Promise<IteratorResult<Item, void>> {
    try {
      await this.#source.takeNext();
    } catch (error) {
      return this.#leaveWith(error);
    }
    return this.return();
  }

  /** An iterator that rejects is not asked to return: what is committed is flushed here. If that fails too, it is an event. */
  async #leaveWith(failure: unknown): Promise<never> {
    try {
      await this.#leave();
    } catch {
      // The caller has to get the loop's own failure.
    }
    throw failure;
  }

  async #leave(): Promise<void> {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.reading.end();
    await this.#owner.left();
  }
}
