import type { FetchRequest, FetchResult } from "@tidemark/core";

// Readers of one partition at different places, each of which has one.
const POSITIONS_PER_PARTITION = 16;

/**
 * Remembers up to where records were handed out, and of which topic: one that is deleted and made again has another id. To
 * read on there at the old position would leave out, without a word, what the new topic has before it.
 */
export class ReadPositions {
  /** By partition and topic: the id of the topic that each next offset was given for. */
  readonly #positions = new Map<string, Map<bigint, string>>();

  /** Whether this fetch reads on from a position in a topic that is no more. */
  isLost({ topic, partition, offset }: FetchRequest, topicId: string | undefined): boolean {
    const former = this.#positions.get(`${partition} ${topic}`)?.get(offset);
    return former !== undefined && topicId !== undefined && former !== topicId && offset > 0n;
  }

  /** Takes in that this was said. Whoever fetches there again has chosen it, in the topic as it is now. */
  told({ topic, partition, offset }: FetchRequest): void {
    this.#positions.get(`${partition} ${topic}`)?.delete(offset);
  }

  /** Takes in that a fetch was answered. */
  handedOut(
    { topic, partition, offset }: FetchRequest,
    { nextOffset }: FetchResult,
    topicId: string | undefined,
  ): void {
    if (topicId === undefined) return;
    const name = `${partition} ${topic}`;
    let positions = this.#positions.get(name);
    if (positions === undefined) {
      positions = new Map();
      this.#positions.set(name, positions);
    }
    positions.delete(offset);
    positions.delete(nextOffset);
    positions.set(nextOffset, topicId);
    if (positions.size <= POSITIONS_PER_PARTITION) return;
    for (const oldest of positions.keys()) {
      positions.delete(oldest);
      break;
    }
  }
}
