import type { ConsumedPartition } from "./consumed-partition.ts";

/**
 * Room that partitions share. Half of it is divided evenly and kept for each of them: a partition whose records wait, for a
 * retry perhaps, holds up no other. The other half is anybody's. One record of each always has room.
 */
export class Room {
  readonly #most: number;
  readonly #held = new Map<ConsumedPartition, number>();
  #partitions = 0;
  #kept = 0;
  #all = 0;
  // What all of them hold beyond what is kept for each.
  #beyond = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether nobody holds anything. */
  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** Whether a partition may take more, where so many share. Those that are not read any more may still hold some. */
  isLeft(partition: ConsumedPartition, partitions: number): boolean {
    const held = this.#held.get(partition);
    if (held === undefined) return true;
    if (this.#all >= this.#most) return false;
    if (partitions !== this.#partitions) this.#divide(partitions);
    return held < this.#kept || this.#beyond < this.#most / 2;
  }

  /** A partition takes so much, or gives it back. Gives whether others that had no room may have some now. */
  take(partition: ConsumedPartition, amount: number): boolean {
    const level = this.#level;
    const before = this.#held.get(partition) ?? 0;
    const after = before + amount;
    if (after === 0) this.#held.delete(partition);
    else this.#held.set(partition, after);
    this.#all += amount;
    this.#beyond += this.#beyondOf(after) - this.#beyondOf(before);
    return this.#level > level;
  }

  /** How much of it is open: none, what is kept, or all. */
  get #level(): number {
    return Number(this.#all < this.#most) + Number(this.#beyond < this.#most / 2);
  }

  #divide(partitions: number): void {
    this.#partitions = partitions;
    this.#kept = Math.floor(this.#most / 2 / Math.max(1, partitions));
    this.#beyond = 0;
    for (const held of this.#held.values()) this.#beyond += this.#beyondOf(held);
  }

  #beyondOf(held: number): number {
    return Math.max(0, held - this.#kept);
  }
}
