import type { OffsetFilter, OffsetKey } from "@tidemark/core";
import type { StoredOffset } from "@tidemark/core/driver";
import { ExpiryQueues } from "./expiry-queues.ts";

/** One stored record with its key. The object stays the same as long as the record is there. */
export interface Entry {
  readonly key: OffsetKey;
  /** Which insertion into the table this was: 1, 2, 3, ... */
  readonly serial: number;
  stored: StoredOffset;
}

/** How many expired records one write removes at most: a write never pays for a great many of other people's. */
const SWEEP_LIMIT = 64;

/**
 * The records of one namespace. Maps, not objects: `__proto__` is a name like any other.
 *
 * Entries are changed in place, and Map and Set iterate in order of insertion over what is there now. So an iteration
 * that others write into still comes across each record that is there throughout exactly once.
 */
export class RecordTable {
  readonly #consumers = new Map<string, Map<string, Map<number, Entry>>>();
  readonly #topics = new Map<string, Set<Entry>>();
  readonly #expiry = new ExpiryQueues<Entry>();
  #size = 0;
  #serial = 0;

  /** How many records take up memory, expired ones that are not swept yet included. */
  get size(): number {
    return this.#size;
  }

  /** What is kept under a key, expired or not. */
  get(key: OffsetKey): StoredOffset | undefined {
    return this.#find(key)?.stored;
  }

  /** Writes a record. */
  set(key: OffsetKey, stored: StoredOffset): void {
    let entry = this.#find(key);
    if (entry === undefined) {
      this.#serial += 1;
      entry = { key, serial: this.#serial, stored };
      this.#insert(entry);
    } else {
      entry.stored = stored;
    }
    this.#expiry.renew(entry);
  }

  /** Removes a record; tells whether there was one. */
  delete(key: OffsetKey): boolean {
    const topics = this.#consumers.get(key.consumer);
    const partitions = topics?.get(key.topic);
    const entry = partitions?.get(key.partition);
    if (topics === undefined || partitions === undefined || entry === undefined) return false;
    partitions.delete(key.partition);
    if (partitions.size === 0) topics.delete(key.topic);
    if (topics.size === 0) this.#consumers.delete(key.consumer);
    const ofTopic = this.#topics.get(key.topic);
    if (ofTopic?.delete(entry) === true && ofTopic.size === 0) this.#topics.delete(key.topic);
    this.#expiry.remove(entry);
    this.#size -= 1;
    return true;
  }

  /**
   * The entries that match a filter, expired ones too; may be written to meanwhile. What is inserted after the start is
   * left out: a listing of a table that somebody keeps filling would have no end.
   */
  *matching(filter: OffsetFilter): Generator<Entry, void, undefined> {
    const last = this.#serial;
    for (const entry of this.#select(filter)) if (entry.serial <= last) yield entry;
  }

  *#select({ consumer, topic, partition }: OffsetFilter): Generator<Entry, void, undefined> {
    if (consumer === undefined && topic !== undefined) {
      for (const entry of this.#topics.get(topic) ?? []) {
        if (partition === undefined || entry.key.partition === partition) yield entry;
      }
      return;
    }
    for (const topics of only(this.#consumers, consumer)) {
      for (const partitions of only(topics, topic)) yield* only(partitions, partition);
    }
  }

  /** Removes some of what has expired. What was renewed meanwhile is not among it: all of this is one step. */
  sweep(now: number): void {
    for (const { key } of this.#expiry.due(now, SWEEP_LIMIT)) this.delete(key);
  }

  /** Removes all that has expired and gives the keys. */
  deleteExpired(now: number): OffsetKey[] {
    const keys = [...this.#expiry.allDue(now)].map(({ key }) => key);
    for (const key of keys) this.delete(key);
    return keys;
  }

  #find(key: OffsetKey): Entry | undefined {
    return this.#consumers.get(key.consumer)?.get(key.topic)?.get(key.partition);
  }

  #insert(entry: Entry): void {
    const { consumer, topic, partition } = entry.key;
    const topics = getOrCreate(this.#consumers, consumer, () => new Map<string, Map<number, Entry>>());
    getOrCreate(topics, topic, () => new Map<number, Entry>()).set(partition, entry);
    getOrCreate(this.#topics, topic, () => new Set<Entry>()).add(entry);
    this.#size += 1;
  }
}

function getOrCreate<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}

/** The value under one key, or, without a key, all values. */
function only<Key, Value>(map: Map<Key, Value>, key: Key | undefined): Iterable<Value> {
  if (key === undefined) return map.values();
  const value = map.get(key);
  return value === undefined ? [] : [value];
}
