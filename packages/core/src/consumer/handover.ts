/** Waits until nothing of some partitions is in hand: then others may have them. */
export class Handover {
  readonly #isInHand: (partition: number) => boolean;
  readonly #waiting = new Set<{ readonly partitions: readonly number[]; readonly resolve: () => void }>();

  constructor(isInHand: (partition: number) => boolean) {
    this.#isInHand = isInHand;
  }

  /** Resolves when nothing of these partitions is in hand. */
  async quiet(partitions: readonly number[]): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.add({ partitions, resolve });
      this.check();
    });
  }

  /** Something may be done. */
  check(): void {
    // On the way of every record, and mostly there is nothing to wait for.
    if (this.#waiting.size === 0) return;
    for (const waiting of this.#waiting) {
      if (waiting.partitions.some((partition) => this.#isInHand(partition))) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }
}
