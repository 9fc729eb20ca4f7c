import type { LogRecord } from "../log-source.ts";
import { PartitionFetcher, type FetcherContext } from "./partition-fetcher.ts";
import type { PartitionReader } from "./partition-reader.ts";

// How often the hot path looks at the clock, and how long it may keep the event loop to itself: records that are all
// there already would otherwise starve the timers that flush.
const MAX_RECORDS_PER_CLOCK_READ = 64;
const MAX_TURN_MS = 10;

/** What a loop asks of its consumer. */
export interface LoopOwner {
  /** Called before each next record: commits the previous one (strategy `auto`), throws if the consumer may not go on. */
  readonly before: (previous: LogRecord | undefined) => void;
  /** Whether something must be waited for before the next record. */
  readonly blocked: () => boolean;
  /** Waits for it, or for the signal. */
  readonly unblocked: (signal: AbortSignal) => Promise<void>;
  readonly delivered: (record: LogRecord) => void;
  /** Reading of a partition goes on elsewhere, because its position no longer exists. */
  readonly moved: (partition: number, to: bigint) => void;
  /** The loop is over, by its end or because it was left: flushes. */
  readonly left: () => Promise<void>;
}

/** One `for await`: takes records from the readers in turn, and waits when there are none. */
export class ConsumerLoop implements AsyncIterator<LogRecord, void, undefined> {
  readonly #owner: LoopOwner;
  readonly #fetcher: PartitionFetcher;
  readonly #readers: PartitionReader[] = [];
  #open: ((signal: AbortSignal) => Promise<readonly PartitionReader[]>) | undefined;
  #failure: { readonly error: unknown } | undefined;
  readonly #abort: AbortController;
  #current: PartitionReader | undefined;
  #turn = 0;
  #previous: LogRecord | undefined;
  #pending: Promise<unknown> | undefined;
  #wait: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #untilClockRead = 1;
  #turnStartedAt = performance.now();
  #clockReadAt = this.#turnStartedAt;
  #clockReadEvery = 1;

  constructor(
    owner: LoopOwner,
    context: Omit<FetcherContext, "signal" | "wake" | "moved" | "readers">,
    open: (signal: AbortSignal) => Promise<readonly PartitionReader[]>,
  ) {
    this.#owner = owner;
    this.#abort = new AbortController();
    this.#fetcher = new PartitionFetcher({
      ...context,
      signal: this.#abort.signal,
      wake: () => this.wake(),
      readers: () => this.#readers.length,
      moved: (partition, to) => {
        // The record in hand is of before the move: committing it would move the new position to an offset of the old log.
        if (this.#previous?.partition === partition) this.#previous = undefined;
        owner.moved(partition, to);
      },
    });
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
    if (!this.#readers.some(({ partition }) => partition === reader.partition)) this.#readers.push(reader);
    this.wake();
  }

  /** The store refuses the partition's position for good: nothing more of it is handed out, and the loop ends with that. */
  refuse(partition: number, error: Error): void {
    const reader = this.#readers.find((each) => each.partition === partition);
    if (reader === undefined) return;
    reader.error ??= error;
    if (this.#current === reader) this.#current = undefined;
    this.wake();
  }

  drop(partition: number): void {
    const index = this.#readers.findIndex((reader) => reader.partition === partition);
    for (const reader of index >= 0 ? this.#readers.splice(index, 1) : []) {
      reader.dropped = true;
      this.#fetcher.release(reader);
    }
    if (this.#current?.partition === partition) this.#current = undefined;
    if (this.#previous?.partition === partition) this.#previous = undefined;
    this.wake();
  }

  next(): Promise<IteratorResult<LogRecord, void>> {
    // Calls that come while one waits are answered in order.
    if (this.#pending !== undefined) return this.#keepPending(this.#pending.then(() => this.#next()));
    // A record that is there is handed out without waiting for anything.
    try {
      this.#comeBack();
      const record = this.#mayTakeNow() ? this.#take() : undefined;
      if (record !== undefined) return Promise.resolve({ done: false, value: record });
    } catch (error) {
      return this.#keepPending(this.#leaveWith(error));
    }
    return this.#keepPending(this.#waitOrEnd());
  }

  async return(): Promise<IteratorResult<LogRecord, void>> {
    if (!this.#ended) {
      this.end();
      await this.#owner.left();
    }
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
    return this.#waitOrEnd();
  }

  async #waitOrEnd(): Promise<IteratorResult<LogRecord, void>> {
    try {
      return await this.#waitForRecord();
    } catch (error) {
      const failure = this.#failure;
      this.#failure = undefined;
      const { aborted, reason } = this.#abort.signal;
      if (failure !== undefined) throw failure.error;
      // What the end of the loop interrupts is no failure.
      if (aborted && error === reason) return { done: true, value: undefined };
      return this.#leaveWith(error);
    }
  }

  /** An iterator that rejects is not asked to return: what is committed is flushed here. If that fails too, it is an event. */
  async #leaveWith(failure: unknown): Promise<never> {
    if (!this.#ended) {
      this.end();
      try {
        await this.#owner.left();
      } catch {
        // The loop's own failure is what the caller has to hear.
      }
    }
    throw failure;
  }

  #comeBack(): void {
    if (this.#ended) return;
    const previous = this.#previous;
    this.#previous = undefined;
    this.#owner.before(previous);
  }

  #mayTakeNow(): boolean {
    if (this.#ended || this.#owner.blocked()) return false;
    this.#untilClockRead -= 1;
    if (this.#untilClockRead > 0) return true;
    // The longer the records take, the more often: a body that works for 50 ms gets a turn of its own each.
    const now = performance.now();
    const perRecordMs = (now - this.#clockReadAt) / this.#clockReadEvery;
    this.#clockReadAt = now;
    this.#clockReadEvery = Math.max(
      1,
      Math.min(this.#clockReadEvery * 2, MAX_RECORDS_PER_CLOCK_READ, Math.floor(MAX_TURN_MS / perRecordMs)),
    );
    this.#untilClockRead = this.#clockReadEvery;
    return now - this.#turnStartedAt < MAX_TURN_MS;
  }

  #take(): LogRecord | undefined {
    let reader = this.#current;
    if (reader === undefined || !reader.filled || reader.finished) {
      // Between two batches, so that a partition that fails is heard of however much the others have to say.
      this.#throwErrors();
      reader = this.#nextFilled();
      this.#current = reader;
    }
    const record = reader?.take();
    if (reader === undefined || record === undefined) return undefined;
    this.#owner.delivered(record);
    this.#previous = record;
    if (!reader.filled) {
      // After a batch it is the turn of the others, even if the next one is here in time.
      this.#current = undefined;
      // It is fetched while the last record of this one is worked on.
      if (reader.wantsFetch(0)) this.#fetcher.fetch(reader);
    }
    return record;
  }

  #nextFilled(): PartitionReader | undefined {
    const count = this.#readers.length;
    for (let step = 0; step < count; step += 1) {
      this.#turn = (this.#turn + 1) % count;
      const reader = this.#readers[this.#turn];
      if (reader?.filled === true && !reader.finished && reader.error === undefined) return reader;
    }
    return undefined;
  }

  async #waitForRecord(): Promise<IteratorResult<LogRecord, void>> {
    await this.#letOthersRun();
    if (this.#open !== undefined && !this.#ended) {
      const open = this.#open;
      this.#open = undefined;
      for (const reader of await open(this.#abort.signal)) this.add(reader);
    }
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return { done: true, value: undefined };
      this.#owner.before(undefined);
      this.#throwErrors();
      if (this.#owner.blocked()) {
        await this.#owner.unblocked(this.#abort.signal);
        continue;
      }
      const record = this.#take();
      if (record !== undefined) return { done: false, value: record };
      if (this.#readers.every((reader) => reader.finished)) return await this.return();
      this.#wait = Promise.withResolvers();
      const now = performance.now();
      for (const reader of this.#readers) if (reader.wantsFetch(now)) this.#fetcher.fetch(reader);
      await this.#wait.promise;
      this.#wait = undefined;
      await this.#letOthersRun();
    }
  }

  /**
   * A partition that cannot be read ends this loop; the next one tries it again. Not before every other partition had its
   * turn: whoever loops again and again gets their records, and the failure too.
   */
  #throwErrors(): void {
    const failed = this.#readers.find((reader) => reader.error !== undefined);
    if (failed?.error === undefined) return;
    const others = this.#readers.filter((reader) => reader.error === undefined && !reader.finished);
    if (others.some((reader) => !reader.answered || (reader.filled && !reader.begun))) return;
    throw failed.error;
  }

  async #letOthersRun(): Promise<void> {
    if (performance.now() - this.#turnStartedAt < MAX_TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnStartedAt = performance.now();
  }
}
