import type { LogRecord } from "../log-source.ts";
import type { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { OffsetChoice } from "./ask-policy.ts";
import type { ConsumedPartition } from "./consumed-partition.ts";
import { type FetcherOptions, type FetcherOwner, PartitionFetcher } from "./partition-fetcher.ts";
import { TurnClock } from "./turn-clock.ts";

// An answer without records that comes sooner than this was not waited for; the next one is asked for after a pause.
const SOON_MS = 10;
const PAUSE_MS = 20;
// How long one partition is read while others have records: with slow bodies all that one fetch brought may take minutes.
const PARTITION_TURN_MS = 100;

/** What a reading asks of its consumer. */
export interface ReadingOwner {
  /** Throws if the consumer may not continue. */
  check(): void;
  /** Whether something must be waited for before the next record. With a reading of the monotonic clock no other is looked at: that costs as much as a record. */
  isBlocked(now?: number): boolean;
  /** Waits for it, or for the signal. */
  unblocked(signal: AbortSignal): Promise<void>;
  /** A record is about to be handed out. `false`: it is done already, and is skipped. */
  handsOut(partition: ConsumedPartition, record: LogRecord): boolean;
  /** Whether more of the partition may be handed out before some of it is done. */
  hasRoom(partition: ConsumedPartition): boolean;
  /** The log has no record before `partition.takenTo` that was not handed out. */
  caughtUp(partition: ConsumedPartition): void;
  /** The position no longer exists. Resolves when reading may continue at the choice. */
  moved(
    partition: ConsumedPartition,
    refused: OffsetOutOfRangeError,
    choice: OffsetChoice,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Where a reading's partitions come from. */
export interface PartitionSupply {
  /** Whether no partition is to come when there is none left. */
  isComplete(signal: AbortSignal): Promise<boolean>;
  /** Milliseconds after which a consumer without partitions asks again whether some may come; `undefined`: none come. */
  readonly lookIntervalMs: number | undefined;
}

/**
 * Reads partitions and hands out their records in turn, from its beginning to its end. Nothing is looked through: a
 * partition is fetched again when it is empty, and comes into the queue when it has records.
 */
export class Reading implements FetcherOwner {
  /** The partitions that are not read to their end. */
  readonly partitions = new Set<ConsumedPartition>();
  readonly #owner: ReadingOwner;
  readonly #supply: PartitionSupply;
  readonly #fetcher: PartitionFetcher;
  readonly #abort = new AbortController();
  readonly #clock = new TurnClock();
  // Those with records to hand out, in the order in which these came.
  readonly #filled = new Set<ConsumedPartition>();
  // Those with records that may not be handed out before others are done.
  readonly #aside = new Set<ConsumedPartition>();
  // Whether there may be room for some of them.
  #mayResume = false;
  #failed: ConsumedPartition | undefined;
  #current: ConsumedPartition | undefined;
  /** When the turn of the current one began. */
  #turnBegunAt = 0;
  #failure: { readonly error: unknown } | undefined;
  #wait: PromiseWithResolvers<void> | undefined;

  constructor(options: FetcherOptions, owner: ReadingOwner, supply: PartitionSupply) {
    this.#owner = owner;
    this.#supply = supply;
    this.#fetcher = new PartitionFetcher(options, this, this.#abort.signal);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isOver(): boolean {
    return this.#abort.signal.aborted;
  }

  /** What ended it, if it has not been thrown yet. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Ends: what waits gets the answer that there is nothing more. */
  end(): void {
    this.#abort.abort();
    this.wake();
  }

  /** Ends: what waits, or the next call, rejects. */
  fail(error: unknown): void {
    if (this.isOver) return;
    this.#failure = { error };
    this.end();
  }

  /** Looks again: something happened that may be waited for. */
  wake(): void {
    this.#wait?.resolve();
  }

  /** Begins to read partitions, each as soon as it is ready. */
  add(partitions: readonly ConsumedPartition[], ready?: (partition: ConsumedPartition) => Promise<void>): void {
    // All of them first: what one may ask for depends on how many there are.
    for (const partition of partitions) this.partitions.add(partition);
    for (const partition of partitions) {
      if (partition.isFinished) this.#finish(partition);
      else if (ready === undefined) this.#fetch(partition);
      else this.#fetchAfter(partition, ready(partition));
    }
  }

  /** The store refuses the partition's position for good: nothing more of it is handed out, and reading ends with that. */
  refuse(partition: ConsumedPartition, error: Error): void {
    if (!this.partitions.has(partition)) return;
    partition.error ??= error;
    this.answered(partition);
  }

  /** A partition is not the consumer's any more. */
  drop(partition: ConsumedPartition): void {
    // One that is still to be added was not read to anywhere.
    if (this.partitions.has(partition)) this.#finish(partition);
    if (this.#failed === partition) this.#failed = [...this.partitions].find(({ error }) => error !== undefined);
  }

  /** Some of a partition is done: it continues if it was put aside. */
  resume(partition: ConsumedPartition): void {
    if (!this.#aside.has(partition) || !this.#owner.hasRoom(partition)) return;
    this.#aside.delete(partition);
    this.#filled.add(partition);
    this.wake();
  }

  /** Some of all partitions may be done: those that were put aside continue one by one, as long as there is room. */
  resumeAll(): void {
    this.#mayResume = true;
    this.wake();
  }

  #resumeOne(): void {
    for (const partition of this.#aside) {
      this.resume(partition);
      if (!this.#aside.has(partition)) return;
    }
    this.#mayResume = false;
  }

  takeNow(): LogRecord | undefined {
    return this.mayTake() ? this.#take() : undefined;
  }

  takeNext(): Promise<LogRecord | undefined> {
    // Here and not with each record: this is called when about 10 ms have passed, or one body of the user's.
    this.#endTurnInTime();
    return this.waitFor(() => this.#take());
  }

  /** Whether something may be handed out without waiting for anything. */
  mayTake(): boolean {
    const hasTime = this.#clock.hasTime();
    return hasTime && !this.isOver && !this.#owner.isBlocked(this.#clock.reading);
  }

  /** Waits until something can be taken; `undefined` when there is nothing more. */
  async waitFor<Item>(take: () => Item | undefined): Promise<Item | undefined> {
    await this.#clock.letOthersRun();
    for (;;) {
      const failure = this.#failure;
      this.#failure = undefined;
      if (failure !== undefined) throw failure.error;
      if (this.isOver) return undefined;
      this.#owner.check();
      this.#throwError();
      if (this.#owner.isBlocked()) {
        await this.#owner.unblocked(this.signal);
        continue;
      }
      const item = take();
      if (item !== undefined) return item;
      // Taking may have ended it: a handler that begins there may abort.
      if (!this.isOver && (await this.#waitForMore())) return undefined;
      await this.#clock.letOthersRun();
    }
  }

  /** Waits until something may have changed. Gives whether nothing more is to come. */
  async #waitForMore(): Promise<boolean> {
    const wait = Promise.withResolvers<void>();
    let timer: NodeJS.Timeout | undefined;
    this.#wait = wait;
    try {
      if (this.partitions.size === 0) {
        const { lookIntervalMs } = this.#supply;
        if (lookIntervalMs === undefined) return true;
        // Waiting for a partition keeps the process alive.
        timer = setTimeout(wait.resolve, lookIntervalMs);
        if ((await this.#supply.isComplete(this.signal)) && this.partitions.size === 0) return true;
      }
      await wait.promise;
      return false;
    } finally {
      clearTimeout(timer);
      this.#wait = undefined;
    }
  }

  /** The next partition with records to take. When some are taken, call {@link Reading.taken}. */
  nextFilled(): ConsumedPartition | undefined {
    // Between two batches, so that the failure of one partition is reported however many records the others have.
    this.#throwError();
    if (this.#mayResume) this.#resumeOne();
    for (const partition of this.#filled) {
      this.#filled.delete(partition);
      if (partition.error !== undefined) continue;
      if (this.#owner.hasRoom(partition)) return partition;
      this.#aside.add(partition);
    }
    return undefined;
  }

  /** Some of a partition was taken, and it is the turn of the others. What has no more is fetched while the last is worked on. */
  taken(partition: ConsumedPartition): void {
    if (partition.isFinished) this.#finish(partition);
    else if (!partition.isFilled) {
      this.#owner.caughtUp(partition);
      this.#fetcher.fetch(partition);
    } else if (this.partitions.has(partition)) this.#filled.add(partition);
  }

  answered(partition: ConsumedPartition): void {
    if (partition.error !== undefined) {
      this.#failed ??= partition;
      this.#aside.delete(partition);
      if (this.#current === partition) this.#current = undefined;
    } else if (partition.isFinished) this.#finish(partition);
    else if (partition.isFilled) this.#filled.add(partition);
    else if (partition.failures === 0) {
      this.#owner.caughtUp(partition);
      // Not at once: a log that has nothing to say and does not wait either would take all of a core.
      setTimeout(() => this.#fetch(partition), performance.now() - partition.fetchedAt < SOON_MS ? PAUSE_MS : 0);
    }
    this.wake();
  }

  moved(partition: ConsumedPartition, refused: OffsetOutOfRangeError, choice: OffsetChoice): void {
    partition.moveTo(choice.nextOffset, choice.mark, choice.bounds.latest.offset);
    this.#fetchAfter(partition, this.#owner.moved(partition, refused, choice, this.signal));
  }

  #fetchAfter(partition: ConsumedPartition, ready: Promise<void>): void {
    ready.then(
      () => {
        if (partition.isFinished) this.#finish(partition);
        else this.#fetch(partition);
        this.wake();
      },
      // It ends with the reading, or with the session, and both are reported elsewhere.
      () => this.wake(),
    );
  }

  #fetch(partition: ConsumedPartition): void {
    if (!this.isOver && this.partitions.has(partition) && partition.error === undefined) this.#fetcher.fetch(partition);
  }

  #finish(partition: ConsumedPartition): void {
    if (partition.error === undefined) this.#owner.caughtUp(partition);
    this.partitions.delete(partition);
    this.#filled.delete(partition);
    this.#aside.delete(partition);
    this.#fetcher.release(partition);
    if (this.#current === partition) this.#current = undefined;
    // The others' shares are larger now.
    this.resumeAll();
  }

  #take(): LogRecord | undefined {
    for (;;) {
      const partition = this.#current ?? this.#nextTurn();
      if (partition === undefined) return undefined;
      if (!this.#owner.hasRoom(partition)) {
        this.#current = undefined;
        this.#aside.add(partition);
        continue;
      }
      const record = partition.take();
      const isHandedOut = record !== undefined && this.#owner.handsOut(partition, record);
      if (!partition.isFilled || partition.isFinished) {
        // After a batch it is the turn of the others, even if the next one is here in time.
        this.#current = undefined;
        this.taken(partition);
      }
      if (isHandedOut) return record;
    }
  }

  #endTurnInTime(): void {
    const current = this.#current;
    if (current === undefined) return;
    if (this.#mayResume) this.#resumeOne();
    if (this.#filled.size === 0) return;
    if (performance.now() - this.#turnBegunAt < PARTITION_TURN_MS) return;
    this.#current = undefined;
    this.taken(current);
  }

  #nextTurn(): ConsumedPartition | undefined {
    this.#current = this.nextFilled();
    this.#turnBegunAt = this.#clock.now;
    return this.#current;
  }

  /**
   * A partition that cannot be read ends this reading; the next one tries it again. Not before every other partition had its
   * turn: a caller that loops again and again gets their records, and the failure too.
   */
  #throwError(): void {
    const failed = this.#failed;
    if (failed?.error === undefined) return;
    for (const other of this.partitions) {
      if (other.error === undefined && (!other.hasAnswered || (other.isFilled && !other.hasBegun))) return;
    }
    throw failed.error;
  }
}
