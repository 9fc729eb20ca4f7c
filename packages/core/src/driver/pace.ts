/** How long one piece of work may hold the event loop, in milliseconds. */
const HOLD_MS = 4;
/** How many steps pass between two looks at the clock. */
const STEPS = 128;

/** Lets everybody else run once long work has held the event loop for a while. */
export class Pace {
  #since = performance.now();
  #steps = 0;

  /** Called before each small step: gives what to wait for, if it is time to. */
  step(): Promise<void> | undefined {
    this.#steps += 1;
    return this.#steps % STEPS === 0 ? this.now() : undefined;
  }

  /** The same before a larger step. */
  now(): Promise<void> | undefined {
    if (performance.now() - this.#since < HOLD_MS) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#since = performance.now();
        resolve();
      });
    });
  }
}
