import { traced } from "../diagnostics/channels.ts";
import { backoffMs } from "../driver/deadline.ts";
import { Sent } from "../driver/sent.ts";
import type { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CommitOutcome, FencedOutcome, OffsetStore } from "../offset-store.ts";
import type { HeldPartition, PartitionWrite } from "./held-partition.ts";
import type { OffsetSessionEvent } from "./offset-session.ts";
import { Renewals } from "./renewals.ts";
import { isFinal, unknownError } from "./session-listener.ts";
import type { ResolvedSessionOptions } from "./session-options.ts";
import { StallWatch } from "./stall-watch.ts";

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 5_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
// What has expired under a renewal is written anew at once; more often than this is no race any more.
const MAX_IMMEDIATE_ATTEMPTS = 4;

/** What a {@link PositionFlusher} writes, and whom it tells. */
export interface FlusherContext {
  readonly store: OffsetStore<never>;
  readonly consumer: string;
  readonly topic: string;
  readonly held: ReadonlyMap<number, HeldPartition>;
  readonly options: ResolvedSessionOptions;
  readonly emit: (event: OffsetSessionEvent) => void;
  /** A partition's claim does not hold any more. */
  readonly onFenced: (partition: HeldPartition, outcome: FencedOutcome) => void;
  /** A partition's claim has ended as it was asked to. */
  readonly onReleased: (partition: HeldPartition) => void;
}

/**
 * Writes what is committed and renews what is idle: by time, one write in flight, again after a failure with growing
 * pauses. Its timers never keep a process alive.
 */
export class PositionFlusher {
  /** Whether what is committed waits for too long. */
  readonly stall: StallWatch;
  readonly #context: FlusherContext;
  readonly #flushInterval: number;
  readonly #stopped = new AbortController();
  // In the order in which they became dirty: a flush costs what changed, however many partitions there are.
  readonly #dirty = new Set<HeldPartition>();
  readonly #renewals: Renewals;
  #inFlight: Promise<void> | undefined;
  #lastWrite: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #failures = 0;
  #fenced: OffsetFencedError | undefined;

  constructor(context: FlusherContext) {
    const { flushInterval, maxUnflushedAge } = context.options;
    this.#context = context;
    const { store, held, options } = context;
    this.stall = new StallWatch(maxUnflushedAge, context.emit);
    this.#renewals = new Renewals({
      ...{ store, held, renewInterval: options.renewInterval, signal: this.#stopped.signal },
      onChanged: () => this.#wake(),
    });
    // A flush that only begins when the position is too old would stall a consumer whose store is well.
    this.#flushInterval = Math.min(flushInterval, maxUnflushedAge / 2);
  }

  /** Why nothing is written any more; `undefined` while it is. */
  get fenced(): OffsetFencedError | undefined {
    return this.#fenced;
  }

  /** Whether something committed is not durable, and can be: what a caller's transaction is open on, or is refused, cannot. */
  get hasDirty(): boolean {
    const now = performance.now();
    for (const { inTransactionUntil, refusal } of this.#dirty) {
      if (inTransactionUntil <= now && refusal === undefined) return true;
    }
    return false;
  }

  /** A partition is held from now on: it is to be written when it becomes dirty, and renewed. */
  watch(partition: HeldPartition): void {
    partition.onDirty = () => this.#dirtied(partition);
    this.#renewals.watch(partition);
    this.#wake();
  }

  /** A partition is not held any more. */
  forget(partition: HeldPartition): void {
    partition.onDirty = undefined;
    this.#dirty.delete(partition);
    this.#renewals.forget(partition);
  }

  /** Writes all that was committed before the call, except where a caller's transaction is open. */
  async flush(): Promise<void> {
    // What is in flight may have begun before the last commit.
    await this.idle();
    if (!this.#isStopped && this.#dirty.size > 0) await (this.#inFlight ?? this.#start([]));
    await this.#lastWrite;
  }

  /** Renews one partition, which may have expired, in a write of its own. */
  async renew(partition: HeldPartition): Promise<void> {
    while (this.#inFlight !== undefined) await this.idle();
    if (!this.#isStopped) await this.#start([partition]);
  }

  /** Renews partitions, so that whoever has not lost them cannot lose them to a look of before. Rejects if that is not known. */
  async verify(partitions: readonly HeldPartition[]): Promise<void> {
    while (this.#inFlight !== undefined) await this.idle();
    if (this.#isStopped || partitions.length === 0) return;
    try {
      await this.#start(partitions);
    } catch (error) {
      // What is refused for good says so by itself, and is nobody else's either.
      if (!(error instanceof OffsetStoreError) || !isFinal(error)) throw error;
    }
  }

  /** Waits for the write in flight: it may be of a partition that a transaction is about to begin on. */
  async idle(): Promise<void> {
    await this.#inFlight?.catch(() => undefined);
  }

  /** A transaction on a partition is over: what of it is not durable is due. */
  transacted(partition: HeldPartition): void {
    this.#dirty.delete(partition);
    if (partition.isDirty) this.#dirty.add(partition);
    this.#renewals.watch(partition);
    this.#wake();
  }

  /** Ends claims, together with what is committed; a claim that only could not be ended is an event and no failure. */
  async release(partitions: readonly HeldPartition[]): Promise<void> {
    for (const partition of partitions) {
      partition.isReleasing = true;
      // Whoever lets go has ended its transaction, or rolled it back without a word.
      partition.inTransactionUntil = 0;
    }
    // Not the write that somebody else begins: it has none of those that are not dirty.
    while (this.#inFlight !== undefined) await this.idle();
    if (!this.#isStopped && (partitions.length > 0 || this.#dirty.size > 0)) await this.#start(partitions);
    await this.#lastWrite;
  }

  /** Ends claims that came when all had ended; one that cannot be ended is an event. */
  async letGo(partitions: readonly HeldPartition[]): Promise<void> {
    await this.idle();
    for (const partition of partitions) partition.isReleasing = true;
    await this.#send(this.#writesOf(partitions));
  }

  /** The claim is lost: what is still owned is written once more, and then nothing ever again. */
  fence(error: OffsetFencedError): void {
    this.#fenced ??= error;
    this.#stopTimers();
    this.#lastWrite ??= this.#writeLast();
  }

  /** Ends everything, and waits for what is in flight. */
  async stop(): Promise<void> {
    this.#stopTimers();
    await this.idle();
    await this.#lastWrite;
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  #stopTimers(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    this.stall.stop();
  }

  async #writeLast(): Promise<void> {
    await this.idle();
    // What fails here is an event: nobody is left to try it again.
    const { held } = this.#context;
    // The others' claims end, too: nobody is left to hold them.
    for (const partition of held.values()) partition.isReleasing = true;
    await this.#send(this.#writesOf(held.values()));
  }

  /** It is due after all that became dirty before it. */
  #dirtied(partition: HeldPartition): void {
    this.#dirty.add(partition);
    if (this.#timerAt > performance.now() + this.#flushInterval) this.#wake();
  }

  #wake(): void {
    if (this.#inFlight === undefined && this.#failures === 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const now = performance.now();
    const at =
      this.#failures > 0
        ? now + backoffMs(this.#failures - 1, RETRY_BASE_MS, RETRY_MAX_MS)
        : Math.min(this.#oldest() + this.#flushInterval, this.#renewals.nextAt, this.#refusedAgainAt(now));
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#onTimer(), Math.min(MAX_TIMER_MS, Math.max(0, at - now)));
    this.#timer.unref();
  }

  #onTimer(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    // A failure is an event by now, and the next attempt is scheduled.
    if (this.#inFlight === undefined) this.#start(this.#renewals.take()).catch(() => undefined);
  }

  /** Since when the oldest of what is committed waits. What is refused for good is no reason for the others to wait. */
  #oldest(): number {
    const now = performance.now();
    let untilTransaction = Number.POSITIVE_INFINITY;
    for (const { refusal, dirtySince, inTransactionUntil } of this.#dirty) {
      if (refusal !== undefined) continue;
      if (inTransactionUntil <= now) return dirtySince;
      untilTransaction = Math.min(untilTransaction, inTransactionUntil - this.#flushInterval);
    }
    return untilTransaction;
  }

  #refusedAgainAt(now: number): number {
    for (const { refusal } of this.#dirty) if (refusal !== undefined) return now + RETRY_MAX_MS;
    return Number.POSITIVE_INFINITY;
  }

  /** Begins the one write: what is dirty, and these partitions. */
  #start(others: readonly HeldPartition[]): Promise<void> {
    clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.stall.watch(this.#oldest());
    const writes = this.#writesOf(new Set([...this.#dirty, ...others]));
    this.#inFlight = this.#send(writes).then((failure) => {
      this.#inFlight = undefined;
      if (!this.#isStopped) this.#ended(failure);
      if (failure !== undefined) throw failure;
    });
    return this.#inFlight;
  }

  #ended(failure: OffsetStoreError | undefined): void {
    const oldest = this.#oldest();
    // What is refused for good is tried again now and then, and holds up no other.
    this.#failures = failure === undefined || isFinal(failure) ? 0 : this.#failures + 1;
    if (this.#failures > 0) this.#renewals.failed();
    if (failure === undefined || oldest === Number.POSITIVE_INFINITY) this.stall.recovered();
    else this.stall.watch(oldest);
    this.#schedule();
  }

  #writesOf(partitions: Iterable<HeldPartition>): PartitionWrite[] {
    const now = performance.now();
    const writes: PartitionWrite[] = [];
    for (const partition of partitions) if (partition.inTransactionUntil <= now) writes.push(partition.write());
    return writes;
  }

  /** One write; sends again at once what only a race refused. Gives a failure, which is an event by then. */
  async #send(first: readonly PartitionWrite[]): Promise<OffsetStoreError | undefined> {
    const { store, emit } = this.#context;
    let failure: OffsetStoreError | undefined;
    let writes = first;
    for (let attempt = 1; writes.length > 0; attempt += 1) {
      const sent = new Sent();
      let outcomes: readonly CommitOutcome[];
      try {
        outcomes = await this.#commit(writes);
      } catch (error) {
        const keys = writes.map(({ partition }) => partition.key);
        const known = error instanceof OffsetStoreError ? error : unknownError("commit", store.name, keys, error);
        emit({ type: "flush-failed", keys: this.#failed(writes, known), error: known });
        return writes.some(saysMore) ? (failure ?? known) : failure;
      }
      const again: PartitionWrite[] = [];
      for (const [index, outcome] of outcomes.entries()) {
        const write = writes[index];
        if (write === undefined) continue;
        if (outcome.status === "failed") {
          // One that may pass says when to try again.
          if (saysMore(write) && (failure === undefined || isFinal(failure))) failure = outcome.error;
          emit({ type: "flush-failed", keys: this.#failed([write], outcome.error), error: outcome.error });
          continue;
        }
        const next = this.#answered(write, outcome, sent, attempt < MAX_IMMEDIATE_ATTEMPTS);
        if (next !== undefined) again.push(next);
      }
      writes = again;
    }
    return failure;
  }

  #commit(writes: readonly PartitionWrite[]): readonly CommitOutcome[] | Promise<readonly CommitOutcome[]> {
    const { store, consumer, topic } = this.#context;
    return traced(
      "tidemark:flush",
      () => store.commit(writes.map(({ entry }) => entry)),
      () => ({
        ...{ consumer, topic, store: store.name },
        positions: Object.freeze(
          writes.map(({ entry: { key, nextOffset } }) => Object.freeze({ partition: key.partition, nextOffset })),
        ),
      }),
    );
  }

  /** Takes in that partitions could not be written; gives their keys. */
  #failed(writes: readonly PartitionWrite[], error: OffsetStoreError): OffsetKey[] {
    for (const write of writes) {
      write.partition.refusal = isFinal(error) ? error : undefined;
      if (saysMore(write)) continue;
      // Whoever lets go and has nothing to say writes nothing more, whether or not the store has heard of it: the next claim
      // ends this one. In a group nobody claims what a living member holds: it is tried again.
      if (this.#context.options.sharing === "takeover" || this.#isStopped) this.#context.onReleased(write.partition);
      else {
        write.partition.dirtySince = performance.now();
        this.#dirty.add(write.partition);
      }
    }
    return writes.map(({ partition }) => partition.key);
  }

  /** Takes in one answer. Gives what is to be sent at once, if anything. */
  #answered(
    write: PartitionWrite,
    outcome: Exclude<CommitOutcome, { status: "failed" }>,
    sent: Sent,
    mayRepeat: boolean,
  ): PartitionWrite | undefined {
    const { emit, onFenced, onReleased } = this.#context;
    const { partition, entry } = write;
    // Lost and claimed again meanwhile: the answer is to the former claim.
    if (this.#context.held.get(partition.key.partition) !== partition) return undefined;
    switch (outcome.status) {
      case "committed":
        if (entry.recreate === true) emit({ type: "recreated", key: partition.key, nextOffset: entry.nextOffset });
        partition.written(write, outcome, sent);
        this.#renewals.watch(partition);
        break;
      case "behind":
        partition.behind(write, outcome.record, sent);
        emit({ type: "behind", key: partition.key, sent: entry.nextOffset ?? 0n, record: outcome.record });
        break;
      case "fenced":
        // Only what is not there is written anew: a record whose TTL an operator made longer meanwhile keeps it.
        if (mayRepeat && outcome.reason === "absent" && entry.recreate !== true && partition.mayHaveExpired) {
          return partition.write(true);
        }
        // Whoever lets go and has nothing to say lost nothing.
        if (entry.release === true && !partition.isDirty) onReleased(partition);
        else onFenced(partition, outcome);
        return undefined;
    }
    this.#dirty.delete(partition);
    if (partition.isDirty) this.#dirty.add(partition);
    const isOver = partition.isReleasing && entry.release === true && outcome.status === "committed";
    if (isOver && !partition.isDirty) onReleased(partition);
    else if (mayRepeat && ((write.isRepeated && partition.isDirty) || partition.isReleasing)) return partition.write();
    return undefined;
  }
}

/** Whether a write says more than that a claim ends: that one could not be ended is an event, it ends with the next claim. */
function saysMore({ entry: { nextOffset, release } }: PartitionWrite): boolean {
  return nextOffset !== undefined || release !== true;
}
