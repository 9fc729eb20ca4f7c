import type { ConsumedPartition } from "./consumed-partition.ts";

/**
 * Bounds what all partitions of a loop hold together: records that are fetched and not handed out, and what is asked for.
 *
 * Every partition that asks for nothing yet keeps a share, so that none waits for another to be read: the more there are,
 * the less each fetch asks for. A log answers with one record at least, however large it is (contract 7.2).
 */
export class FetchBudget {
  readonly #totalBytes: number;
  readonly #bytesPerFetch: number;
  #heldBytes = 0;
  #holders = 0;

  constructor(totalBytes: number, bytesPerFetch: number) {
    this.#totalBytes = totalBytes;
    this.#bytesPerFetch = bytesPerFetch;
  }

  /** Takes bytes for a partition's next fetch; what it held before is free again. */
  take(partition: ConsumedPartition, partitions: number): number {
    this.release(partition);
    const share = Math.floor(this.#totalBytes / Math.max(1, partitions));
    const kept = share * Math.max(0, partitions - this.#holders - 1);
    const free = this.#totalBytes - this.#heldBytes - kept;
    partition.heldBytes = Math.max(1, Math.min(this.#bytesPerFetch, free));
    this.#heldBytes += partition.heldBytes;
    this.#holders += 1;
    return partition.heldBytes;
  }

  /** The partition holds nothing any more. */
  release(partition: ConsumedPartition): void {
    if (partition.heldBytes === 0) return;
    this.#heldBytes -= partition.heldBytes;
    this.#holders -= 1;
    partition.heldBytes = 0;
  }
}
