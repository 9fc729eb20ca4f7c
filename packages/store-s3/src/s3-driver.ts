import type { StoreCapabilities } from "@tidemark/core";
import type {
  Change,
  ChangeAnswer,
  DriverContext,
  DriverKey,
  ErrorClassification,
  ListFilter,
  ListPage,
  OffsetStoreDriver,
  ReadAnswer,
  ReadEntry,
  WriteAnswer,
  WriteContext,
} from "@tidemark/core/driver";
import { mapBounded, streamBounded } from "./bounded-concurrency.ts";
import type { ObjectKeys, ObjectName } from "./object-keys.ts";
import { type ObjectState, readState } from "./object-state.ts";
import { entryNameOf, isReclaimable, makeEntry, serialise } from "./offsets-document.ts";
import { classifyOpenS3Error, isTransient } from "./s3-errors.ts";
import { type Bucket, SharedObject } from "./shared-object.ts";

/** What a driver is made from. */
export interface S3DriverOptions extends Bucket {
  readonly keys: ObjectKeys;
  /** Releases what was opened for the store. */
  readonly release: () => void;
}

/** What a call has to do with one object: the places of its keys in the call. */
type Places = readonly number[];

interface ListedObject {
  readonly objectKey: string;
  readonly name: ObjectName;
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
    // A heartbeat is a PUT, and those are paid for.
    leaseMs: 60_000,
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
    const failures = await this.#each(keys, async (object, places) => {
      const state = await object.read(signal);
      // Of several answers, the first one's time had passed for all.
      now = Math.min(now, state.now);
      for (const place of places) entries[place] = entryOf(state, keys[place] as DriverKey);
    });
    for (const { error, places } of failures) {
      // Reading all of them again may help.
      if (isTransient(error)) throw error;
      for (const place of places) entries[place] = { error };
    }
    return { now, entries };
  }

  async write(changes: readonly Change[], context: WriteContext): Promise<WriteAnswer> {
    const answers: ChangeAnswer[] = [];
    const times = new Set<number | undefined>();
    const keys = changes.map(({ key }) => key);
    const failures = await this.#each(keys, async (object, places) => {
      const own = places.length === changes.length ? changes : places.map((place) => changes[place] as Change);
      const answer = isOverwrite(own)
        ? await this.#overwrite(object, own[0], context)
        : await object.write(own, context);
      times.add(answer.writtenAt);
      if (answer.changes === undefined) return;
      for (const [at, place] of places.entries()) answers[place] = answer.changes[at] as ChangeAnswer;
    });
    for (const { error, places } of failures) for (const place of places) answers[place] = { status: "failed", error };
    // Objects have times of their own: where they differ, no time is that of the call.
    const [writtenAt] = times.size === 1 ? times : [];
    if (answers.length === 0) return { writtenAt, changes: undefined };
    return { writtenAt, changes: changes.map((_, at) => answers[at] ?? "written") };
  }

  async *list(filter: ListFilter, { signal }: Pick<DriverContext, "signal">): AsyncGenerator<ListPage> {
    const pages = streamBounded(this.#listedObjects(filter, signal), CONCURRENCY, async ({ objectKey, name }) => {
      const state = await readState(this.#bucket.objects, objectKey, signal);
      if (this.#isAbandoned(name, state, filter.reclaimable === true)) {
        // The next listing tries it again.
        await this.#remove(objectKey, state, signal).catch(() => undefined);
      }
      return { now: state.now, entries: [...listedEntries(name, filter, state)] };
    });
    for await (const page of pages) if (page.entries.length > 0) yield page;
  }

  classify(error: unknown): ErrorClassification {
    return classifyOpenS3Error(error, this.#bucket.objects.bucket);
  }

  async close(): Promise<void> {
    this.#release();
  }

  /** Has each object's part of a call carried out, and gives those that failed; throws if all did. */
  async #each(
    keys: readonly DriverKey[],
    carryOut: (object: SharedObject, places: Places) => Promise<void>,
  ): Promise<{ readonly places: Places; readonly error: unknown }[]> {
    this.#forgetIdle();
    const parts = [...this.#partsOf(keys)];
    const failures: { readonly places: Places; readonly error: unknown }[] = [];
    await mapBounded(parts, CONCURRENCY, async ([object, places]) => {
      try {
        await carryOut(object, places);
      } catch (error) {
        failures.push({ places, error });
      }
    });
    if (failures.length > 0 && failures.length === parts.length) throw failures[0]?.error;
    return failures;
  }

  #partsOf(keys: readonly DriverKey[]): ReadonlyMap<SharedObject, Places> {
    const parts = new Map<SharedObject, number[]>();
    let last: DriverKey | undefined;
    let places: number[] = [];
    for (const [place, key] of keys.entries()) {
      // As a rule partitions of one topic come one after the other: they are in one object without looking again.
      const isSame = last !== undefined && key.consumer === last.consumer && key.topic === last.topic;
      if (!isSame || !("partition" in key)) {
        const object = this.#objectOf(key);
        places = parts.get(object) ?? [];
        parts.set(object, places);
        last = "partition" in key ? key : undefined;
      }
      places.push(place);
    }
    return parts;
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

  /** A member's heartbeat: no other writes its object, and one PUT without condition is all. */
  async #overwrite(
    { key: objectKey }: SharedObject,
    { key, value, version, reclaimAfter }: Change,
    { signal, timed }: WriteContext,
  ): Promise<WriteAnswer> {
    const { objects } = this.#bucket;
    if (value === undefined) {
      await objects.remove(objectKey, undefined, signal);
      return { changes: undefined };
    }
    const name = entryNameOf(key);
    const entry = makeEntry(name, { version, value, reclaimAfter: reclaimAfter ?? undefined }, { time: undefined });
    const { body } = await serialise({ writes: [], entries: new Map([[name, entry]]) }, 0);
    const written = await objects.put(objectKey, body, "none", signal);
    return { writtenAt: timed === true ? written?.writtenAt : undefined, changes: undefined };
  }

  /** Whether an object is not needed any more: a member that was silent for long, or, to a sweep, one without positions. */
  #isAbandoned({ content }: ObjectName, state: ObjectState, isSweep: boolean): boolean {
    const { etag, entries, damage, now, writtenAt } = state;
    if (etag === undefined || damage !== undefined) return false;
    if (content === "member") return entries.values().every((entry) => isReclaimable(entry, now));
    return isSweep && entries.size === 0 && now - writtenAt > ABANDONED_AFTER_MS && this.#bucket.removesConditionally;
  }

  async #remove(objectKey: string, { etag }: ObjectState, signal: AbortSignal): Promise<void> {
    const { objects, removesConditionally } = this.#bucket;
    await objects.remove(objectKey, removesConditionally ? etag : undefined, signal);
  }

  /** The objects that a filter may concern. */
  async *#listedObjects(
    { kind, consumer, topic }: ListFilter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ListedObject[]> {
    const content = kind === "position" ? "positions" : "member";
    let prefix = consumer === undefined ? this.#keys.root : this.#keys.consumerFolder(consumer);
    if (consumer !== undefined && topic !== undefined) {
      if (content === "positions") {
        yield [{ objectKey: this.#keys.keyOf({ consumer, topic, partition: 0 }), name: { consumer, topic, content } }];
        return;
      }
      prefix = this.#keys.topicFolder(consumer, topic);
    }
    for await (const page of this.#bucket.objects.list(prefix, signal)) {
      yield page.flatMap((objectKey) => {
        const name = this.#keys.nameOf(objectKey);
        if (name?.content !== content || (topic !== undefined && name.topic !== topic)) return [];
        return [{ objectKey, name }];
      });
    }
  }
}

function isOverwrite(changes: readonly Change[]): changes is readonly [Change] {
  const [first] = changes;
  return changes.length === 1 && first !== undefined && "member" in first.key && first.expected === "any";
}

function entryOf({ damage, entries, writtenAt }: ObjectState, key: DriverKey): ReadEntry {
  if (damage !== undefined) return { error: damage };
  const entry = entries.get(entryNameOf(key));
  if (entry === undefined || "error" in entry) return entry && { error: entry.error };
  return { version: entry.version, value: entry.value, writtenAt: entry.stamp.time ?? writtenAt };
}

/** What a listing gives of one object. */
function* listedEntries(
  { consumer, topic, content, member = "" }: ObjectName,
  { partition }: ListFilter,
  state: ObjectState,
): Generator<ListPage["entries"][number]> {
  // What was in a damaged object is not known: the first partition stands for all.
  const names = state.damage === undefined ? state.entries.keys() : [content === "member" ? member : (partition ?? 0)];
  for (const name of names) {
    const key = typeof name === "number" ? { consumer, topic, partition: name } : { consumer, topic, member: name };
    if ("partition" in key ? partition !== undefined && partition !== key.partition : content !== "member") continue;
    const entry = entryOf(state, key);
    if (entry !== undefined) yield { key, entry };
  }
}
