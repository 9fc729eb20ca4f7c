// How often the hot path looks at the clock, and how long it may keep the event loop to itself: records that are all
// there already would otherwise starve the timers that flush.
const MAX_RECORDS_PER_CLOCK_READ = 64;
const MAX_TURN_MS = 10;

/** Says when whoever hands out records has to let others run: after about 10 ms, or one body of the user's. */
export class TurnClock {
  #startedAt = performance.now();
  #untilRead = 1;
  #readAt = this.#startedAt;
  #readEvery = 1;

  /** Whether the last {@link TurnClock.hasTime} has read the clock. */
  get wasRead(): boolean {
    return this.#untilRead === this.#readEvery;
  }

  /** Whether one more record fits into this turn. Cheap: it looks at the clock only now and then. */
  hasTime(): boolean {
    this.#untilRead -= 1;
    if (this.#untilRead > 0) return true;
    // The longer the records take, the more often: a body that works for 50 ms gets a turn of its own each.
    const now = performance.now();
    const perRecordMs = (now - this.#readAt) / this.#readEvery;
    this.#readAt = now;
    this.#readEvery = Math.max(
      1,
      Math.min(this.#readEvery * 2, MAX_RECORDS_PER_CLOCK_READ, Math.floor(MAX_TURN_MS / perRecordMs)),
    );
    this.#untilRead = this.#readEvery;
    return now - this.#startedAt < MAX_TURN_MS;
  }

  /** Lets timers and sockets run, if the turn is over. */
  async letOthersRun(): Promise<void> {
    if (performance.now() - this.#startedAt < MAX_TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#startedAt = performance.now();
  }
}
