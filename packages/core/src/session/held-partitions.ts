import type { PartitionState } from "./partition-state.ts";

/** The partitions of a session: those it holds, and those it was fenced from. */
export class HeldPartitions {
  readonly #states = new Map<number, PartitionState>();
  readonly #lost = new Set<number>();

  get size(): number {
    return this.#states.size;
  }

  /** Their numbers, ascending. */
  get numbers(): number[] {
    return [...this.#states.keys()].toSorted((a, b) => a - b);
  }

  get anyDirty(): boolean {
    for (const state of this.#states.values()) if (state.dirty) return true;
    return false;
  }

  [Symbol.iterator](): Iterator<PartitionState> {
    return this.#states.values();
  }

  get(partition: number): PartitionState | undefined {
    return this.#states.get(partition);
  }

  has(partition: number): boolean {
    return this.#states.has(partition);
  }

  hasLost(partition: number): boolean {
    return this.#lost.has(partition);
  }

  add(state: PartitionState): void {
    this.#states.set(state.key.partition, state);
    this.#lost.delete(state.key.partition);
  }

  lose(state: PartitionState): void {
    this.#states.delete(state.key.partition);
    this.#lost.add(state.key.partition);
  }

  /** The earliest of a time that some of them have. */
  earliest(time: (state: PartitionState) => number | undefined): number | undefined {
    let earliest: number | undefined;
    for (const state of this.#states.values()) {
      const at = time(state);
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
    }
    return earliest;
  }
}
