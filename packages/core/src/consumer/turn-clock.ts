// How long the hot path may keep the event loop to itself: records that are all there already would otherwise starve the timers
// that flush.
const MAX_TURN_MS = 10;
// A machine that sleeps stops the monotonic clock: the other one is asked as often as this.
const WALL_CLOCK_EVERY_MS = 1;

/** Says when the code that hands out records has to let others run: after about 10 ms, or one body of the user's. */
export class TurnClock {
  #startedAt = performance.now();
  #now = this.#startedAt;
  #wallClockReadAt = Number.NEGATIVE_INFINITY;

  /** Whether one more record fits into this turn. Reads the clock: a record may take as long as the user likes. */
  hasTime(): boolean {
    this.#now = performance.now();
    return this.#now - this.#startedAt < MAX_TURN_MS;
  }

  /** What {@link TurnClock.hasTime} has read last. */
  get now(): number {
    return this.#now;
  }

  /** What {@link TurnClock.hasTime} has read; `undefined` where it is time to ask the wall clock, too. */
  get reading(): number | undefined {
    if (this.#now - this.#wallClockReadAt < WALL_CLOCK_EVERY_MS) return this.#now;
    this.#wallClockReadAt = this.#now;
    return undefined;
  }

  /** Lets timers and sockets run, if the turn is over. */
  async letOthersRun(): Promise<void> {
    if (performance.now() - this.#startedAt < MAX_TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#startedAt = performance.now();
  }
}
