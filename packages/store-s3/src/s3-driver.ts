import type { StoreCapabilities } from "@tidemark/core";
import {
  byTopic,
  type Change,
  type ChangeAnswer,
  type DriverContext,
  type DriverKey,
  type ErrorClassification,
  type ListFilter,
  type ListPage,
  type OffsetStoreDriver,
  type ReadAnswer,
  type ReadEntry,
  type WriteAnswer,
  type WriteContext,
} from "@tidemark/core/driver";
import { mapBounded, streamBounded } from "./bounded-concurrency.ts";
import type { ObjectKeys, ObjectName } from "./object-keys.ts";
import { type ObjectState, readState } from "./object-state.ts";
import { type DamagedEntry, type DocumentEntry, entryNameOf } from "./offsets-document.ts";
import { classifyS3Error, isTransient } from "./s3-errors.ts";
import { type Bucket, SharedObject } from "./shared-object.ts";

/** What a driver is made from. */
export interface S3DriverOptions extends Bucket {
  readonly keys: ObjectKeys;
  /** Releases what was opened for the store. */
  readonly release: () => void;
}

/** Everything that one call has to do with one object, with each item's place in the call. */
interface ObjectPart<Item> {
  readonly object: SharedObject;
  readonly items: Item[];
  readonly places: number[];
}

/** How many objects are read or written at the same time. */
const CONCURRENCY = 32;
/** What a store keeps in mind of objects that are idle. One that it has forgotten costs one more read. */
const MAX_OBJECTS = 1_000;
const MAX_BYTES = 128 * 1024 * 1024;
/**
 * How old an empty object must be before it is removed, in milliseconds: an hour. A write that creates an object and is
 * still on its way would bring old positions back; S3 takes none that was signed more than a quarter of an hour before.
 */
const ABANDONED_AFTER_MS = 60 * 60 * 1_000;

/** The driver: which objects a call concerns. */
export class S3Driver implements OffsetStoreDriver {
  readonly name = "s3";
  readonly capabilities: StoreCapabilities = Object.freeze({
    atomicBatch: false,
    transactions: false,
    durability: "synced",
    expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1_000 }),
    maxBatch: 100_000,
  });
  readonly #bucket: Bucket;
  readonly #keys: ObjectKeys;
  readonly #release: () => void;
  readonly #objects = new Map<string, SharedObject>();

  constructor({ objects, removesConditionally, keys, release }: S3DriverOptions) {
    this.#bucket = { objects, removesConditionally };
    this.#keys = keys;
    this.#release = release;
  }

  async read(keys: readonly DriverKey[], { signal }: DriverContext): Promise<ReadAnswer> {
    const entries: ReadEntry[] = Array.from({ length: keys.length });
    let now = Number.POSITIVE_INFINITY;
    const failures = await this.#each(
      keys,
      (key) => key,
      async ({ object, items, places }) => {
        const state = await object.read(signal);
        // Of several answers, the first one's time had passed for all.
        now = Math.min(now, state.now);
        for (const [at, place] of places.entries()) entries[place] = entryOf(state, items[at] as DriverKey);
      },
    );
    for (const { error, places } of failures) {
      // Reading all of them again may help.
      if (isTransient(error)) throw error;
      for (const place of places) entries[place] = { error };
    }
    return { now, entries };
  }

  async write(changes: readonly Change[], context: WriteContext): Promise<WriteAnswer> {
    const answers: ChangeAnswer[] = [];
    let writtenAt: number | undefined;
    const failures = await this.#each(
      changes,
      ({ key }) => key,
      async ({ object, items, places }) => {
        const answer = await object.write(items, context);
        if (answer.writtenAt !== undefined) writtenAt = Math.max(writtenAt ?? 0, answer.writtenAt);
        if (answer.changes === undefined) return;
        for (const [at, place] of places.entries()) answers[place] = answer.changes[at] ?? "written";
      },
    );
    for (const { error, places } of failures) for (const place of places) answers[place] = { status: "failed", error };
    if (answers.length === 0) return { writtenAt, changes: undefined };
    return { writtenAt, changes: changes.map((_, at) => answers[at] ?? "written") };
  }

  async *list(filter: ListFilter, { signal }: Pick<DriverContext, "signal">): AsyncGenerator<ListPage> {
    const pages = streamBounded(this.#namesOf(filter, signal), CONCURRENCY, async ({ objectKey, name }) => {
      const state = await readState(this.#bucket.objects, objectKey, signal);
      if (filter.reclaimable === true) await this.#removeAbandoned(objectKey, state, signal);
      return { now: state.now, entries: [...listed(name, filter, state)] };
    });
    for await (const page of pages) if (page.entries.length > 0) yield page;
  }

  classify(error: unknown): ErrorClassification {
    return classifyS3Error(error, this.#bucket.objects.bucket);
  }

  async close(): Promise<void> {
    this.#release();
  }

  /** Has each object's part of a call carried out, and gives those that failed; throws if all did. */
  async #each<Item>(
    items: readonly Item[],
    keyOf: (item: Item) => DriverKey,
    carryOut: (part: ObjectPart<Item>) => Promise<void>,
  ): Promise<{ readonly places: readonly number[]; readonly error: unknown }[]> {
    const parts = this.#partsOf(items, keyOf);
    const failures: { readonly places: readonly number[]; readonly error: unknown }[] = [];
    await mapBounded(parts, CONCURRENCY, async (part) => {
      try {
        await carryOut(part);
      } catch (error) {
        failures.push({ places: part.places, error });
      }
    });
    if (failures.length > 0 && failures.length === parts.length) throw failures[0]?.error;
    return failures;
  }

  #partsOf<Item>(items: readonly Item[], keyOf: (item: Item) => DriverKey): ObjectPart<Item>[] {
    this.#forgetIdle();
    const parts = new Map<SharedObject, ObjectPart<Item>>();
    for (const group of byTopic(items, keyOf)) {
      let positions: ObjectPart<Item> | undefined;
      for (const [at, item] of group.items.entries()) {
        const key = keyOf(item);
        let part = "partition" in key ? positions : undefined;
        if (part === undefined) {
          part = { object: this.#objectOf(key), items: [], places: [] };
          parts.set(part.object, part);
          if ("partition" in key) positions = part;
        }
        part.items.push(item);
        part.places.push(group.places[at] as number);
      }
    }
    return [...parts.values()];
  }

  /** The object that a key is in: always the same one while it has work to do. */
  #objectOf(key: DriverKey): SharedObject {
    const objectKey = this.#keys.keyOf(key);
    const content = "partition" in key ? "positions" : "member";
    const object = this.#objects.get(objectKey) ?? new SharedObject(this.#bucket, objectKey, content);
    // A map remembers the order of insertion: the first is the one that was not used for longest.
    this.#objects.delete(objectKey);
    this.#objects.set(objectKey, object);
    return object;
  }

  #forgetIdle(): void {
    let bytes = 0;
    for (const object of this.#objects.values()) bytes += object.bytes;
    for (const [objectKey, object] of this.#objects) {
      if (this.#objects.size <= MAX_OBJECTS && bytes <= MAX_BYTES) return;
      if (!object.isIdle) continue;
      bytes -= object.bytes;
      this.#objects.delete(objectKey);
    }
  }

  async #removeAbandoned(objectKey: string, state: ObjectState, signal: AbortSignal): Promise<void> {
    const { etag, entries, damage, now, writtenAt } = state;
    if (etag === undefined || damage !== undefined || entries.size > 0 || now - writtenAt <= ABANDONED_AFTER_MS) return;
    if (this.#bucket.removesConditionally) await this.#bucket.objects.remove(objectKey, etag, signal);
  }

  /** The objects that a filter may concern. */
  async *#namesOf({ kind, consumer, topic }: ListFilter, signal: AbortSignal): AsyncGenerator<readonly ListedObject[]> {
    const content = kind === "position" ? "positions" : "member";
    const isOne = consumer !== undefined && topic !== undefined;
    if (isOne && content === "positions") {
      yield [{ objectKey: this.#keys.keyOf({ consumer, topic, partition: 0 }), name: { consumer, topic, content } }];
      return;
    }
    const ofConsumer = consumer === undefined ? this.#keys.root : this.#keys.consumerFolder(consumer);
    const prefix = isOne ? this.#keys.topicFolder(consumer, topic) : ofConsumer;
    for await (const page of this.#bucket.objects.list(prefix, signal)) {
      yield page.flatMap((objectKey) => {
        const name = this.#keys.nameOf(objectKey);
        if (name?.content !== content || (topic !== undefined && name.topic !== topic)) return [];
        return [{ objectKey, name }];
      });
    }
  }
}

interface ListedObject {
  readonly objectKey: string;
  readonly name: ObjectName;
}

function entryOf(state: ObjectState, key: DriverKey): ReadEntry {
  if (state.damage !== undefined) return { error: state.damage };
  return readEntry(state.entries.get(entryNameOf(key)), state);
}

function readEntry(entry: DocumentEntry | DamagedEntry | undefined, { writtenAt }: ObjectState): ReadEntry {
  if (entry === undefined || "error" in entry) return entry && { error: entry.error };
  return { version: entry.version, value: entry.value, writtenAt: entry.stamp.time ?? writtenAt };
}

/** What a listing gives of one object. */
function* listed(name: ObjectName, filter: ListFilter, state: ObjectState): Generator<ListPage["entries"][number]> {
  const { consumer, topic, content } = name;
  if (state.damage !== undefined) {
    // Which partitions were in it cannot be told: the first stands for all.
    const key = content === "member" ? { member: name.member } : { partition: filter.partition ?? 0 };
    yield { key: { consumer, topic, ...key } as DriverKey, entry: { error: state.damage } };
    return;
  }
  for (const [entryName, stored] of state.entries) {
    const entry = readEntry(stored, state);
    if (entry === undefined) continue;
    if (content === "member") {
      if (typeof entryName === "string") yield { key: { consumer, topic, member: entryName }, entry };
    } else if (typeof entryName === "number" && (filter.partition === undefined || filter.partition === entryName)) {
      yield { key: { consumer, topic, partition: entryName }, entry };
    }
  }
}
