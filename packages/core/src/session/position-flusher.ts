import { backoffMs } from "../driver/deadline.ts";
import type { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { FencedOutcome } from "../offset-store.ts";
import type { Claims } from "./claims.ts";
import type { HeldPartition } from "./held-partition.ts";
import { PositionWrites } from "./position-writes.ts";
import { Renewals } from "./renewals.ts";
import type { SessionContext } from "./session-context.ts";
import { isFinal, unknownError } from "./session-listener.ts";
import { StallWatch } from "./stall-watch.ts";
import { MAX_TIMER_MS } from "../max-timer.ts";

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 5_000;

/**
 * Writes what is committed and renews what is idle: by time, one write in flight, again after a failure with growing
 * pauses. Its timers never keep a process alive.
 */
export class PositionFlusher {
  /** Whether what is committed waits for too long. */
  readonly stall: StallWatch;
  readonly #context: SessionContext;
  readonly #claims: Claims;
  readonly #writes: PositionWrites;
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

  /** `onFenced` is called for a partition whose claim does not hold any more. */
  constructor(
    context: SessionContext,
    claims: Claims,
    onFenced: (partition: HeldPartition, outcome: FencedOutcome) => void,
  ) {
    const { flushInterval, maxUnflushedAge } = context.options;
    this.#context = context;
    this.#claims = claims;
    this.#writes = new PositionWrites(context, {
      settled: (partition) => this.#settled(partition),
      released: (partition) => this.drop(partition),
      notReleased: (partition) => this.#notReleased(partition),
      fenced: onFenced,
    });
    this.stall = new StallWatch(maxUnflushedAge, context.emit);
    this.#renewals = new Renewals(context, claims, this.#stopped.signal, () => this.#wake());
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
    // It may have become dirty since the claim was answered.
    this.#settled(partition);
    this.#wake();
  }

  /** A partition is not held any more. */
  drop(partition: HeldPartition): void {
    this.#claims.drop(partition);
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

  /** Renews one partition, which may have expired, or all, which may be lost, in a write of their own. */
  async renew(partition?: HeldPartition): Promise<void> {
    while (this.#inFlight !== undefined) await this.idle();
    const partitions = partition === undefined ? [...this.#claims.held.values()] : [partition];
    if (!this.#isStopped && partitions.length > 0) await this.#start(partitions);
  }

  /** Waits for the write in flight: it may be of a partition that a transaction is about to begin on. */
  async idle(): Promise<void> {
    await this.#inFlight?.catch(() => undefined);
  }

  /** A transaction on a partition is over: what of it is not durable is due. */
  transacted(partition: HeldPartition): void {
    this.#settled(partition);
    this.#wake();
  }

  /** Ends claims, together with what is committed; a claim that only could not be ended is an event and no failure. */
  async release(partitions: readonly HeldPartition[]): Promise<void> {
    for (const partition of partitions) {
      partition.isReleasing = true;
      // A caller that releases has ended its transaction, or rolled it back and did not say so.
      partition.inTransactionUntil = 0;
    }
    // Not the write that another caller begins: it has none of those that are not dirty.
    while (this.#inFlight !== undefined) await this.idle();
    if (!this.#isStopped && (partitions.length > 0 || this.#dirty.size > 0)) await this.#start(partitions);
    await this.#lastWrite;
  }

  /** Ends claims that came when all had ended, or all that there are; one that cannot be ended is an event, and not tried again. */
  async letGo(partitions?: readonly HeldPartition[]): Promise<void> {
    await this.idle();
    const leaving = partitions ?? [...this.#claims.held.values()];
    for (const partition of leaving) partition.isReleasing = true;
    await this.#writes.send(leaving);
  }

  /** The claim is lost: what is still owned is written once more and let go of, and then nothing is written ever again. */
  fence(error: OffsetFencedError): void {
    this.#fenced ??= error;
    this.#stopTimers();
    this.#lastWrite ??= this.letGo();
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

  /** What was committed since it was sent is due after all that became dirty before, and so is a release that was left out. */
  #settled(partition: HeldPartition): void {
    this.#dirty.delete(partition);
    if (!partition.isDirty && partition.isReleasing) partition.dirtySince = performance.now();
    if (partition.isDirty || partition.isReleasing) this.#dirty.add(partition);
    this.#renewals.watch(partition);
  }

  /**
   * A release without a position to write is not repeated, whether or not the store received it: the next claim ends
   * this one. In a group no member claims what a living member holds: there it is tried again.
   */
  #notReleased(partition: HeldPartition): void {
    if (this.#context.options.sharing === "takeover" || this.#isStopped) return this.drop(partition);
    partition.dirtySince = performance.now();
    this.#dirty.add(partition);
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
    const { store, emit } = this.#context;
    // What a store should never reject with is a failure as any other.
    const sending = this.#writes.send(new Set([...this.#dirty, ...others])).catch((cause: unknown) => {
      const error = unknownError("commit", store.name, [], cause);
      emit({ type: "flush-failed", keys: [], error });
      return error;
    });
    this.#inFlight = sending.then((failure) => {
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
}
