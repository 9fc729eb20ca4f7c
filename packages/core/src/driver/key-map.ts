import type { OffsetKey } from "../key.ts";

/** What is kept by key. A map that is full forgets everything: only what can be had again belongs in it. */
export class KeyMap<Value> {
  readonly #maxSize: number;
  readonly #groups = new Map<string, Map<number, Value>>();
  #size = 0;
  // As a rule all keys of a call, and of the next one, are of one consumer and topic.
  #consumer: string | undefined;
  #topic: string | undefined;
  #group: Map<number, Value> | undefined;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get(key: OffsetKey): Value | undefined {
    return this.#groupOf(key)?.get(key.partition);
  }

  set(key: OffsetKey, value: Value): void {
    let group = this.#groupOf(key);
    if (group === undefined) {
      group = new Map();
      this.#groups.set(identityOf(key), group);
      this.#group = group;
    }
    const before = group.size;
    group.set(key.partition, value);
    this.#size += group.size - before;
    if (this.#size > this.#maxSize) this.#clear();
  }

  delete(key: OffsetKey): void {
    if (this.#groupOf(key)?.delete(key.partition) === true) this.#size -= 1;
  }

  #groupOf(key: OffsetKey): Map<number, Value> | undefined {
    if (this.#consumer === key.consumer && this.#topic === key.topic) return this.#group;
    this.#consumer = key.consumer;
    this.#topic = key.topic;
    return (this.#group = this.#groups.get(identityOf(key)));
  }

  #clear(): void {
    this.#groups.clear();
    this.#group = undefined;
    this.#size = 0;
  }
}

function identityOf({ consumer, topic }: OffsetKey): string {
  // A name's length before it: no two pairs of names run into one.
  return `${consumer.length}/${consumer}${topic}`;
}
