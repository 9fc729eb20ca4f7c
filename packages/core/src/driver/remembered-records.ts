import type { OffsetKey } from "../key.ts";
import type { StoredOffset } from "./stored-offset.ts";

/** What a store knows of a record that it has written itself. */
export interface RememberedRecord {
  /** `[version]`, one array for all that was written together. */
  readonly expected: readonly [string];
  /** The record; a time that this store was not told is `UNKNOWN_TIME`. */
  readonly stored: StoredOffset;
  /** When the write was sent, by both clocks: a computer that sleeps stops the one, somebody may set the other. */
  readonly sentAt: number;
  readonly sentAtWall: number;
}

const MAX_RECORDS = 100_000;

/**
 * The records that one store holds claims on, as it wrote them: with them a commit is one write and no read. Used only to
 * write; what a refusal says is always read.
 */
export class RememberedRecords {
  readonly #groups = new Map<string, Map<number, RememberedRecord>>();
  #size = 0;
  // As a rule all keys of a call, and of the next one, are of one group.
  #consumer: string | undefined;
  #topic: string | undefined;
  #group: Map<number, RememberedRecord> | undefined;

  /** The record, if it is surely still there: nothing that has a time to live outlives it unread. */
  get(key: OffsetKey): RememberedRecord | undefined {
    const known = this.#groupOf(key)?.get(key.partition);
    if (known?.stored.ttl === undefined) return known;
    const wallMs = Date.now() - known.sentAtWall;
    const isThere = performance.now() - known.sentAt < known.stored.ttl && wallMs >= 0 && wallMs < known.stored.ttl;
    return isThere ? known : undefined;
  }

  set(key: OffsetKey, known: RememberedRecord): void {
    let group = this.#groupOf(key);
    if (group === undefined) {
      group = new Map();
      this.#groups.set(identityOf(key), group);
      this.#group = group;
    }
    const before = group.size;
    group.set(key.partition, known);
    this.#size += group.size - before;
    if (this.#size > MAX_RECORDS) this.#clear();
  }

  forget(key: OffsetKey): void {
    if (this.#groupOf(key)?.delete(key.partition) === true) this.#size -= 1;
  }

  #groupOf(key: OffsetKey): Map<number, RememberedRecord> | undefined {
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
