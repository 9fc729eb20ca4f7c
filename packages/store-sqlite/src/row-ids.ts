import type { OffsetKey } from "@tidemark/core";

const MAX_IDS = 100_000;

/**
 * The ids of rows of positions that this store has seen. Only where to look: no id is given twice, and whoever goes by one
 * compares the version too, so that a row that is gone or written over is not taken for what it was.
 */
export class RowIds {
  readonly #topics = new Map<string, Map<number, number>>();
  #size = 0;
  // As a rule all keys of a call, and of the next one, are of one consumer and topic.
  #consumer: string | undefined;
  #topic: string | undefined;
  #ids: Map<number, number> | undefined;

  get(key: OffsetKey): number | undefined {
    return this.#idsOf(key)?.get(key.partition);
  }

  set(key: OffsetKey, id: number): void {
    if (this.#size >= MAX_IDS) this.#clear();
    let ids = this.#idsOf(key);
    if (ids === undefined) {
      ids = new Map();
      this.#topics.set(identityOf(key), ids);
      this.#ids = ids;
    }
    const before = ids.size;
    ids.set(key.partition, id);
    this.#size += ids.size - before;
  }

  forget(key: OffsetKey): void {
    if (this.#idsOf(key)?.delete(key.partition) === true) this.#size -= 1;
  }

  #idsOf(key: OffsetKey): Map<number, number> | undefined {
    if (this.#consumer === key.consumer && this.#topic === key.topic) return this.#ids;
    this.#consumer = key.consumer;
    this.#topic = key.topic;
    return (this.#ids = this.#topics.get(identityOf(key)));
  }

  #clear(): void {
    this.#topics.clear();
    this.#ids = undefined;
    this.#size = 0;
  }
}

function identityOf({ consumer, topic }: OffsetKey): string {
  // A name's length before it: no two pairs of names run into one.
  return `${consumer.length}/${consumer}${topic}`;
}
