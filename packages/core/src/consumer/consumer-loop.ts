import type { LogRecord } from "../log-source.ts";
import { PartitionFetcher, type FetcherContext } from "./partition-fetcher.ts";
import { PartitionReader } from "./partition-reader.ts";

// How often the hot path looks at the clock, and how long it may keep the event loop to itself: records that are all
// there already would otherwise starve the timers that flush.
const RECORDS_PER_CLOCK_READ = 64;
const MAX_TURN_MS = 10;

/** What a loop asks of its consumer. */
export interface LoopOwner {
  /** Called before each next record: commits the previous one (strategy `auto`), throws if the consumer may not go on. */
  readonly before: (previous: LogRecord | undefined) => void;
  /** What must be waited for before the next record; `undefined`: nothing. */
  readonly barrier: () => Promise<void> | undefined;
  readonly delivered: (record: LogRecord) => void;
  /** The loop is over, by its end or because it was left: flushes. */
  readonly left: () => Promise<void>;
}

/** One `for await`: takes records from the readers in turn, and waits when there are none. */
export class ConsumerLoop implements AsyncIterator<LogRecord, void, undefined> {
  readonly #owner: LoopOwner;
  readonly #fetcher: PartitionFetcher;
  #readers: PartitionReader[] = [];
  #open: ((signal: AbortSignal) => Promise<readonly PartitionReader[]>) | undefined;
  #failure: { readonly error: unknown } | undefined;
  readonly #abort: AbortController;
  #current: PartitionReader | undefined;
  #turn = 0;
  #previous: LogRecord | undefined;
  #pending: Promise<unknown> | undefined;
  #wait: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #taken = 0;
  #turnStartedAt = performance.now();

  constructor(
    owner: LoopOwner,
    context: Omit<FetcherContext, "signal" | "wake">,
    open: (signal: AbortSignal) => Promise<readonly PartitionReader[]>,
  ) {
    this.#owner = owner;
    this.#abort = new AbortController();
    this.#fetcher = new PartitionFetcher({ ...context, signal: this.#abort.signal, wake: () => this.wake() });
    this.#open = open;
  }

  /** Looks again: something happened that the loop may be waiting for. */
  wake(): void {
    this.#wait?.resolve();
  }

  /** The record handed out last, while the caller has not come back for the next. */
  get inHand(): LogRecord | undefined {
    return this.#previous;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Ends the loop: what waits resolves as done. */
  end(): void {
    this.#ended = true;
    this.#abort.abort();
    this.wake();
  }

  /** Ends the loop: what waits, or the next call, rejects. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure = { error };
    this.end();
  }

  add(reader: PartitionReader): void {
    this.#readers.push(reader);
    this.wake();
  }

  drop(partition: number): void {
    const index = this.#readers.findIndex((reader) => reader.partition === partition);
    if (index >= 0) this.#readers.splice(index, 1);
    if (this.#current?.partition === partition) this.#current = undefined;
    if (this.#previous?.partition === partition) this.#previous = undefined;
    this.wake();
  }

  next(): Promise<IteratorResult<LogRecord, void>> {
    if (this.#pending !== undefined) return this.#after(this.#pending);
    // A record that is there is handed out without waiting for anything.
    try {
      this.#comeBack();
      const record = this.#mayTakeNow() ? this.#take() : undefined;
      if (record !== undefined) return Promise.resolve({ done: false, value: record });
    } catch (error) {
      this.end();
      return Promise.reject(error as Error);
    }
    const result = this.#waitForRecord().catch((error: unknown) => {
      const { error: cause } = this.#failure ?? { error };
      this.#failure = undefined;
      this.end();
      throw cause;
    });
    const pending: Promise<void> = result.then(
      () => this.#settle(pending),
      () => this.#settle(pending),
    );
    this.#pending = pending;
    return result;
  }

  async return(): Promise<IteratorResult<LogRecord, void>> {
    if (!this.#ended) {
      this.end();
      await this.#owner.left();
    }
    return { done: true, value: undefined };
  }

  /** Calls that come while one waits are answered in order. */
  async #after(pending: Promise<unknown>): Promise<IteratorResult<LogRecord, void>> {
    await pending;
    return this.next();
  }

  #settle(pending: Promise<unknown>): void {
    if (this.#pending === pending) this.#pending = undefined;
  }

  #comeBack(): void {
    if (this.#ended) return;
    const previous = this.#previous;
    this.#previous = undefined;
    this.#owner.before(previous);
  }

  #mayTakeNow(): boolean {
    if (this.#ended || this.#owner.barrier() !== undefined) return false;
    this.#taken += 1;
    if (this.#taken % RECORDS_PER_CLOCK_READ !== 0) return true;
    return performance.now() - this.#turnStartedAt < MAX_TURN_MS;
  }

  #take(): LogRecord | undefined {
    let reader = this.#current;
    if (reader === undefined || !reader.filled || reader.finished) {
      reader = this.#nextFilled();
      this.#current = reader;
    }
    const record = reader?.take();
    if (reader === undefined || record === undefined) return undefined;
    this.#owner.delivered(record);
    this.#previous = record;
    // The next batch is fetched while the last record of this one is worked on.
    if (!reader.filled && reader.wantsFetch(0)) this.#fetcher.fetch(reader);
    return record;
  }

  #nextFilled(): PartitionReader | undefined {
    const count = this.#readers.length;
    for (let step = 0; step < count; step += 1) {
      this.#turn = (this.#turn + 1) % count;
      const reader = this.#readers[this.#turn];
      if (reader?.filled === true && !reader.finished) return reader;
    }
    return undefined;
  }

  async #waitForRecord(): Promise<IteratorResult<LogRecord, void>> {
    await this.#letOthersRun();
    if (this.#open !== undefined && !this.#ended) {
      const open = this.#open;
      this.#open = undefined;
      this.#readers = [...(await open(this.#abort.signal))];
    }
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return { done: true, value: undefined };
      this.#owner.before(undefined);
      const barrier = this.#owner.barrier();
      if (barrier !== undefined) {
        await this.#endable(barrier);
        continue;
      }
      const record = this.#take();
      if (record !== undefined) return { done: false, value: record };
      this.#throwErrors();
      if (this.#readers.every((reader) => reader.finished)) return this.return();
      this.#wait = Promise.withResolvers();
      const now = performance.now();
      for (const reader of this.#readers) if (reader.wantsFetch(now)) this.#fetcher.fetch(reader);
      await this.#wait.promise;
      this.#wait = undefined;
      await this.#letOthersRun();
    }
  }

  /** A partition that cannot be read ends this call, not the others: the next loop tries it again. */
  #throwErrors(): void {
    const failed = this.#readers.find((reader) => reader.error !== undefined);
    if (failed?.error === undefined) return;
    const { error } = failed;
    this.#readers.splice(this.#readers.indexOf(failed), 1);
    throw error;
  }

  /** Waits for what the owner waits for, or for the loop's end. */
  async #endable(barrier: Promise<void>): Promise<void> {
    this.#wait = Promise.withResolvers();
    // Somebody waits for the next record: unlike a session's own timers, that keeps the process alive.
    const awake = setInterval(() => undefined, 2 ** 30);
    try {
      await Promise.race([barrier, this.#wait.promise]);
    } finally {
      clearInterval(awake);
      this.#wait = undefined;
    }
  }

  async #letOthersRun(): Promise<void> {
    if (performance.now() - this.#turnStartedAt < MAX_TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnStartedAt = performance.now();
  }
}
