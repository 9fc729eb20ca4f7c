/** When something was sent, by both clocks: a computer that sleeps stops the one, an operator may set the other. */
export class Sent {
  readonly at: number;
  readonly wall: number;

  constructor(agoMs = 0) {
    this.at = performance.now() - agoMs;
    this.wall = Date.now() - agoMs;
  }

  /** Milliseconds since then, by the clock that says more. */
  get elapsedMs(): number {
    return Math.max(performance.now() - this.at, Date.now() - this.wall);
  }
}
