import type { PartitionReader } from "./partition-reader.ts";

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

  /** Takes bytes for a reader's next fetch; what it held before is free again. */
  take(reader: PartitionReader, readers: number): number {
    this.release(reader);
    const share = Math.floor(this.#totalBytes / Math.max(1, readers));
    const kept = share * Math.max(0, readers - this.#holders - 1);
    const free = this.#totalBytes - this.#heldBytes - kept;
    reader.heldBytes = Math.max(1, Math.min(this.#bytesPerFetch, free));
    this.#heldBytes += reader.heldBytes;
    this.#holders += 1;
    return reader.heldBytes;
  }

  /** The reader holds nothing any more. */
  release(reader: PartitionReader): void {
    if (reader.heldBytes === 0) return;
    this.#heldBytes -= reader.heldBytes;
    this.#holders -= 1;
    reader.heldBytes = 0;
  }
}
