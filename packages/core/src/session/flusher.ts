import { backoffMs } from "../driver/deadline.ts";

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 5_000;

/** What a {@link Flusher} drives. */
export interface FlushTarget {
  /** Whether something committed is not durable. */
  readonly hasDirty: () => boolean;
  /** The monotonic time of the oldest commit that is not durable. */
  readonly dirtySince: () => number | undefined;
  /** The monotonic time at which the next claim has to be renewed. */
  readonly renewalDueAt: () => number;
  /** Writes once; `renew` includes claims that are due. Rejects if anything could not be written. */
  readonly write: (renew: boolean) => Promise<void>;
  readonly onStalled: (unflushedForMs: number) => void;
  readonly onRecovered: () => void;
}

/**
 * Decides when a session writes: by time, one write in flight, again after a failure with growing pauses, and says when
 * what is committed has been waiting for too long. Its timers never keep a process alive.
 */
export class Flusher {
  readonly #target: FlushTarget;
  readonly #flushInterval: number;
  readonly #maxUnflushedAge: number;
  #inFlight: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #stallTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;
  #ready: PromiseWithResolvers<void> | undefined;

  constructor(target: FlushTarget, flushInterval: number, maxUnflushedAge: number) {
    this.#target = target;
    // A flush that only begins when the position is too old would stall a consumer whose store is well.
    this.#flushInterval = Math.min(flushInterval, maxUnflushedAge / 2);
    this.#maxUnflushedAge = maxUnflushedAge;
  }

  get stalled(): boolean {
    return this.#ready !== undefined;
  }

  /** Resolves when nothing is stalled, or the flusher is stopped. */
  whenReady(): Promise<void> {
    return this.#ready?.promise ?? Promise.resolve();
  }

  /** Something clean became dirty: it is due after all that was dirty before, so that this costs the same for any number. */
  dirtied(): void {
    if (this.#timerAt > performance.now() + this.#flushInterval) this.wake();
  }

  /** There is a new claim to renew, or another time to do so. */
  wake(): void {
    if (this.#inFlight === undefined && this.#failures === 0) this.#schedule();
  }

  /** Writes all that was committed before the call. */
  async flush(): Promise<void> {
    // What is in flight may have begun before the last commit.
    await this.#inFlight?.catch(() => undefined);
    if (this.#stopped || !this.#target.hasDirty()) return;
    await (this.#inFlight ?? this.#start(false));
  }

  /** Ends all timers and waits; a write in flight ends by itself. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#stallTimer);
    this.#ready?.resolve();
    this.#ready = undefined;
  }

  /** Resolves when no write is in flight. */
  async idle(): Promise<void> {
    await this.#inFlight?.catch(() => undefined);
  }

  #start(renew: boolean): Promise<void> {
    clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#watchAge();
    const write = this.#target.write(renew).then(
      () => this.#ended(undefined),
      (error: unknown) => {
        this.#ended(error);
        throw error;
      },
    );
    this.#inFlight = write;
    return write;
  }

  #ended(error: unknown): void {
    this.#inFlight = undefined;
    if (this.#stopped) return;
    if (error === undefined) {
      this.#failures = 0;
      clearTimeout(this.#stallTimer);
      if (this.#ready !== undefined) {
        this.#ready.resolve();
        this.#ready = undefined;
        this.#target.onRecovered();
      }
    } else {
      this.#failures += 1;
      this.#watchAge();
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopped) return;
    const now = performance.now();
    let at: number;
    if (this.#failures > 0) {
      at = now + backoffMs(this.#failures - 1, RETRY_BASE_MS, RETRY_MAX_MS);
    } else {
      const dirtySince = this.#target.dirtySince();
      const flushAt = dirtySince === undefined ? Number.POSITIVE_INFINITY : dirtySince + this.#flushInterval;
      at = Math.min(flushAt, this.#target.renewalDueAt());
    }
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#onTimer(), Math.min(2 ** 31 - 1, Math.max(0, at - now)));
    this.#timer.unref();
  }

  #onTimer(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#inFlight !== undefined) return;
    // A failure is an event by now, and the next attempt is scheduled.
    this.#start(true).catch(() => undefined);
  }

  /** Says `stalled` when what is committed gets too old while a write hangs or fails. */
  #watchAge(): void {
    clearTimeout(this.#stallTimer);
    const dirtySince = this.#target.dirtySince();
    if (dirtySince === undefined || this.#ready !== undefined) return;
    const leftMs = dirtySince + this.#maxUnflushedAge - performance.now();
    if (leftMs <= 0 && this.#failures > 0) {
      this.#stall(dirtySince);
      return;
    }
    this.#stallTimer = setTimeout(
      () => {
        if (this.#inFlight !== undefined || this.#failures > 0) this.#stall(dirtySince);
      },
      Math.max(0, leftMs),
    );
    this.#stallTimer.unref();
  }

  #stall(dirtySince: number): void {
    if (this.#ready !== undefined || this.#stopped) return;
    this.#ready = Promise.withResolvers();
    this.#target.onStalled(Math.round(performance.now() - dirtySince));
  }
}
