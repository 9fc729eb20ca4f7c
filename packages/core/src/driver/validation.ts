import { inspect } from "node:util";

import type { OffsetKey } from "../key.ts";
import type {
  ClaimEntry,
  CommitEntry,
  DeleteSelector,
  ExpireEntry,
  OffsetFilter,
  ResetEntry,
} from "../offset-store.ts";

/** The most UTF-8 bytes of a consumer's or topic's name, a token, an owner or a namespace (contract 3.7). */
export const MAX_NAME_BYTES = 255;
/** The most UTF-8 bytes of the text committed with a position; Kafka's own limit. */
export const MAX_METADATA_BYTES = 4096;
/** The largest partition number. */
export const MAX_PARTITION = 2 ** 31 - 1;
/** The largest position: positions are int64 (contract 3.8). */
export const MAX_OFFSET = 2n ** 63n - 1n;
/** What Node's timers can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** The longest time to live, a hundred years, in milliseconds. */
export const MAX_TTL_MS = 100 * 365.25 * 24 * 60 * 60 * 1000;

/**
 * Checks a name: 1 to 255 UTF-8 bytes, no unpaired surrogate; otherwise a `TypeError` that says which. It shows no text
 * that it was given: a token is one of the names (contract 3.17).
 */
export function validateName(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string")
    throw new TypeError(`${what} must be a string, not ${value === null ? "null" : typeof value}`);
  if (value === "") throw new TypeError(`${what} must not be empty`);
  const unpaired = value.search(/\p{Surrogate}/u);
  if (unpaired >= 0) throw new TypeError(`${what} has an unpaired surrogate at index ${unpaired}`);
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_NAME_BYTES) {
    throw new TypeError(`${what} is ${bytes} bytes long in UTF-8; at most ${MAX_NAME_BYTES} are allowed`);
  }
}

/** Checks a whole number between two bounds, both included. `what` names it in the `TypeError` or `RangeError`. */
export function validateWholeNumber(
  what: string,
  value: unknown,
  lowest: number,
  highest: number,
): asserts value is number {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number, not ${describe(value)}`);
  if (!Number.isSafeInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${what} must be a whole number from ${lowest} to ${highest}, not ${value}`);
  }
}

/** Checks a time-out: milliseconds, a whole number that Node's timers can wait. `what` names it in the error. */
export function validateTimeout(what: string, value: unknown): asserts value is number {
  validateWholeNumber(what, value, 1, MAX_TIMEOUT_MS);
}

/** Checks a partition number: an integer from 0 to 2^31 - 1. */
export function validatePartition(value: unknown): asserts value is number {
  validateWholeNumber("partition", value, 0, MAX_PARTITION);
}

/** Checks a position: a bigint, `0 <= n < 2^63`. */
export function validateOffset(what: string, value: unknown): asserts value is bigint {
  if (typeof value !== "bigint") throw new TypeError(`${what} must be a bigint, not ${describe(value)}`);
  if (value < 0n || value > MAX_OFFSET) throw new RangeError(`${what} must be from 0 to 2^63 - 1, not ${value}`);
}

/** Checks a time to live: a positive whole number of milliseconds, at most a hundred years; `null` and `undefined` pass. */
export function validateTtl(value: unknown): asserts value is number | null | undefined {
  if (value === undefined || value === null) return;
  if (typeof value !== "number") throw new TypeError(`ttl must be a number of milliseconds, not ${describe(value)}`);
  if (!Number.isSafeInteger(value) || value <= 0 || value > MAX_TTL_MS) {
    throw new RangeError(
      `ttl must be a whole number of milliseconds from 1 to ${MAX_TTL_MS} (100 years), not ${value}`,
    );
  }
}

/** Checks a key and gives a copy of it, so that the caller's object can change meanwhile. */
export function validateKey(key: unknown): OffsetKey {
  if (typeof key !== "object" || key === null) {
    throw new TypeError(`a key must be an object { consumer, topic, partition }, not ${describe(key)}`);
  }
  const { consumer, topic, partition } = key as Partial<OffsetKey>;
  validateName("consumer", consumer);
  validateName("topic", topic);
  validatePartition(partition);
  return { consumer, topic, partition };
}

/** Checks keys: an array, none twice. */
export function validateKeys(keys: unknown): OffsetKey[] {
  return batch("keys", keys, validateKey, (key) => key);
}

/** Checks the entries of a claim. */
export function validateClaimEntries(entries: unknown): ClaimEntry[] {
  return batch("entries", entries, (entry: ClaimEntry): ClaimEntry => {
    const key = validateKey(entry.key);
    validateName("token", entry.token);
    validateName("owner", entry.owner);
    validateTtl(entry.ttl);
    return { key, token: entry.token, owner: entry.owner, ttl: entry.ttl };
  });
}

/** Checks the entries of a commit. */
export function validateCommitEntries(entries: unknown): CommitEntry[] {
  return batch("entries", entries, (entry: CommitEntry): CommitEntry => {
    const key = validateKey(entry.key);
    const { token, nextToken, nextOffset, metadata, ttl, rewindFrom, recreate, owner } = entry;
    validateName("token", token);
    if (nextToken !== undefined) validateName("nextToken", nextToken);
    if (nextOffset !== undefined) validateOffset("nextOffset", nextOffset);
    if (nextOffset === undefined && metadata !== undefined) {
      throw new TypeError("metadata belongs to a position: give nextOffset too");
    }
    if (nextOffset === undefined && rewindFrom !== undefined) {
      throw new TypeError("rewindFrom goes with a position: give nextOffset too");
    }
    validateMetadata(metadata);
    validateTtl(ttl);
    if (rewindFrom !== undefined) validateOffset("rewindFrom", rewindFrom);
    if (recreate !== undefined && typeof recreate !== "boolean") {
      throw new TypeError(`recreate must be a boolean, not ${describe(recreate)}`);
    }
    if (owner !== undefined) validateName("owner", owner);
    return { key, token, nextToken, nextOffset, metadata, ttl, rewindFrom, recreate, owner };
  });
}

/** Checks the entries of a reset. */
export function validateResetEntries(entries: unknown): ResetEntry[] {
  return batch("entries", entries, (entry: ResetEntry): ResetEntry => {
    const key = validateKey(entry.key);
    validateOffset("nextOffset", entry.nextOffset);
    validateMetadata(entry.metadata);
    validateTtl(entry.ttl);
    return { key, nextOffset: entry.nextOffset, metadata: entry.metadata, ttl: entry.ttl };
  });
}

/** Checks the entries of an expire. */
export function validateExpireEntries(entries: unknown): ExpireEntry[] {
  return batch("entries", entries, (entry: ExpireEntry): ExpireEntry => {
    const key = validateKey(entry.key);
    if (entry.ttl === undefined) throw new TypeError("ttl must be a number of milliseconds, or null for none");
    validateTtl(entry.ttl);
    return { key, ttl: entry.ttl };
  });
}

/** Checks a filter. An unknown field is refused: a misspelt one would match everything. */
export function validateFilter(filter: unknown): OffsetFilter {
  if (typeof filter !== "object" || filter === null) {
    throw new TypeError(`a filter must be an object, not ${describe(filter)}`);
  }
  for (const field of Object.keys(filter)) {
    if (field !== "consumer" && field !== "topic" && field !== "partition") {
      throw new TypeError(`a filter has the fields consumer, topic and partition, not ${JSON.stringify(field)}`);
    }
  }
  const { consumer, topic, partition } = filter as OffsetFilter;
  if (consumer !== undefined) validateName("consumer", consumer);
  if (topic !== undefined) validateName("topic", topic);
  if (partition !== undefined) validatePartition(partition);
  return {
    ...(consumer !== undefined && { consumer }),
    ...(topic !== undefined && { topic }),
    ...(partition !== undefined && { partition }),
  };
}

/** Checks a delete's selector; an empty one is a `TypeError`, so that nothing is emptied by an oversight. */
export function validateSelector(selector: unknown): DeleteSelector {
  if (typeof selector !== "object" || selector === null) {
    throw new TypeError(`a selector must be an object, not ${describe(selector)}`);
  }
  if ("keys" in selector) {
    only(selector, "keys");
    return { keys: validateKeys(selector.keys) };
  }
  if ("expired" in selector) {
    only(selector, "expired");
    if (selector.expired !== true) throw new TypeError("expired must be true");
    return { expired: true };
  }
  const filter = validateFilter(selector);
  if (filter.consumer === undefined && filter.topic === undefined) {
    throw new TypeError("an empty selector would delete everything: name keys, a consumer, a topic, or expired: true");
  }
  return filter;
}

function only(selector: object, field: string): void {
  if (Object.keys(selector).length > 1) throw new TypeError(`${field} goes alone in a selector`);
}

function validateMetadata(value: unknown): asserts value is string | undefined {
  if (value === undefined) return;
  if (typeof value !== "string") throw new TypeError(`metadata must be a string, not ${describe(value)}`);
  if (!value.isWellFormed()) throw new TypeError("metadata has an unpaired surrogate");
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_METADATA_BYTES) {
    throw new RangeError(`metadata is ${bytes} bytes long in UTF-8; at most ${MAX_METADATA_BYTES} are allowed`);
  }
}

function batch<Given, Entry>(
  what: string,
  given: unknown,
  validate: (entry: Given) => Entry,
  keyOf: (entry: Entry) => OffsetKey = (entry) => (entry as { key: OffsetKey }).key,
): Entry[] {
  if (!Array.isArray(given)) throw new TypeError(`${what} must be an array, not ${describe(given)}`);
  const seen = new Set<string>();
  // Array.from and not map, which passes over the holes of an array: each entry gets an answer or an error.
  return Array.from(given, (item: unknown, index) => {
    if (typeof item !== "object" || item === null) {
      throw new TypeError(`${what}[${index}] must be an object, not ${describe(item)}`);
    }
    const entry = validate(item as Given);
    const key = keyOf(entry);
    if (given.length === 1) return entry;
    const { consumer, topic, partition } = key;
    // A name's length before it: no two keys run into one.
    const identity = `${consumer.length}/${consumer}${partition}/${topic}`;
    // Two writes of one key in one batch have no order that every backend keeps.
    if (seen.has(identity)) {
      throw new TypeError(`${what}[${index}] repeats the key ${JSON.stringify([consumer, topic, partition])}`);
    }
    seen.add(identity);
    return entry;
  });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object") return "an object";
  if (typeof value === "function") return "a function";
  return `${typeof value} ${inspect(value)}`;
}
