import type { FetchRequest, FetchResult } from "@tidemark/core";

// Readers of one partition at different places, each of which has one.
const POSITIONS_PER_PARTITION = 16;

/** Remembers up to where records were handed out, and of which log, for those who fetch on there without the mark. */
export class ReadPositions {
  /** By partition and topic: the mark that each next offset was given with. */
  readonly #positions = new Map<string, Map<bigint, string>>();

  /** The mark of a position. */
  markOf({ topic, partition, offset }: FetchRequest): string | undefined {
    return offset > 0n ? this.#positions.get(`${partition} ${topic}`)?.get(offset) : undefined;
  }

  /** Takes in that it was refused. Whoever fetches there again has chosen it, in the log as it is now. */
  refused({ topic, partition, offset }: FetchRequest): void {
    this.#positions.get(`${partition} ${topic}`)?.delete(offset);
  }

  /** Takes in that a fetch was answered. */
  handedOut({ topic, partition, offset }: FetchRequest, { nextOffset, mark }: FetchResult): void {
    if (mark === undefined) return;
    const name = `${partition} ${topic}`;
    let positions = this.#positions.get(name);
    if (positions === undefined) {
      positions = new Map();
      this.#positions.set(name, positions);
    }
    positions.delete(offset);
    positions.delete(nextOffset);
    positions.set(nextOffset, mark);
    if (positions.size <= POSITIONS_PER_PARTITION) return;
    for (const oldest of positions.keys()) {
      positions.delete(oldest);
      break;
    }
  }
}
