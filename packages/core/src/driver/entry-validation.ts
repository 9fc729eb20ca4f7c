import type { OffsetKey } from "../key.ts";
import type { OffsetRange } from "../offset-record.ts";
import type {
  ClaimEntry,
  CommitEntry,
  DeleteSelector,
  ExpireEntry,
  OffsetFilter,
  ResetEntry,
  TransactEntry,
} from "../offset-store.ts";
import { rangesText } from "./ranges-text.ts";
import {
  describe,
  MAX_METADATA_BYTES,
  MAX_TTL_MS,
  validateKey,
  validateName,
  validateOffset,
  validatePartition,
  validateTtl,
  validateWholeNumber,
} from "./validation.ts";

/** Checks keys: an array, none twice. */
export function validateKeys(keys: unknown): OffsetKey[] {
  return batch("keys", keys, validateKey, (key) => key);
}

/** Checks the entries of a claim. */
export function validateClaimEntries(entries: unknown): ClaimEntry[] {
  return batch("entries", entries, (entry: ClaimEntry): ClaimEntry => {
    refuseOtherFields(entry, CLAIM_FIELDS);
    const key = validateKey(entry.key);
    const { token, owner, member, ttl, ifIdleFor } = entry;
    validateName("token", token);
    validateName("owner", owner);
    if (member !== undefined) validateName("member", member);
    validateTtl(ttl);
    if (ifIdleFor !== undefined) validateWholeNumber("ifIdleFor", ifIdleFor, 1, MAX_TTL_MS);
    return { key, token, owner, member, ttl, ifIdleFor };
  });
}

const CLAIM_FIELDS: ReadonlySet<string> = new Set(["key", "token", "owner", "member", "ttl", "ifIdleFor"]);

/** Checks the entries of a commit. */
export function validateCommitEntries(entries: unknown): CommitEntry[] {
  return batch("entries", entries, (entry: CommitEntry): CommitEntry => {
    refuseOtherFields(entry, COMMIT_FIELDS);
    const key = validateKey(entry.key);
    const { token, epoch, nextOffset, metadata, mark, acknowledged, resetFrom, ttl } = entry;
    const { rewind, release, recreate, owner, member } = entry;
    validateName("token", token);
    if (epoch !== undefined) validateWholeNumber("epoch", epoch, 0, Number.MAX_SAFE_INTEGER);
    if (nextOffset === undefined) {
      const field = POSITION_FIELDS.find((name) => entry[name] !== undefined);
      if (field !== undefined) throw new TypeError(`${field} needs a position: give nextOffset too`);
    } else validateOffset("nextOffset", nextOffset);
    validateMetadata(metadata);
    if (mark !== undefined) validateName("mark", mark);
    if (acknowledged !== undefined) validateAcknowledged(acknowledged, nextOffset ?? 0n);
    if (resetFrom !== undefined) validateResetFrom("resetFrom", resetFrom);
    validateTtl(ttl);
    validateFlag("rewind", rewind);
    validateFlag("release", release);
    validateFlag("recreate", recreate);
    if (owner !== undefined) validateName("owner", owner);
    if (member !== undefined) validateName("member", member);
    return {
      key,
      token,
      epoch,
      nextOffset,
      metadata,
      mark,
      acknowledged: acknowledged?.map(({ from, to }) => ({ from, to })),
      resetFrom: resetFrom && { nextOffset: resetFrom.nextOffset, reason: resetFrom.reason },
      ttl,
      rewind,
      release,
      recreate,
      owner,
      member,
    };
  });
}

const POSITION_FIELDS = ["metadata", "mark", "acknowledged", "resetFrom", "rewind"] as const;
const COMMIT_FIELDS: ReadonlySet<string> = new Set([
  ...POSITION_FIELDS,
  ...["key", "token", "epoch", "nextOffset", "ttl", "release", "recreate", "owner", "member"],
]);

/** Checks the entry of a transaction of the store's own. */
export function validateTransactEntry(entry: unknown): TransactEntry {
  if (typeof entry !== "object" || entry === null) {
    throw new TypeError(`an entry must be an object, not ${describe(entry)}`);
  }
  refuseOtherFields(entry, TRANSACT_FIELDS);
  const { from, ...commit } = entry as TransactEntry;
  const [checked] = validateCommitEntries([commit]);
  const { nextOffset } = commit;
  validateOffset("from", from);
  validateOffset("nextOffset", nextOffset);
  if (from >= nextOffset) throw new RangeError(`from must be less than nextOffset ${nextOffset}, not ${from}`);
  return { ...(checked as CommitEntry), from, nextOffset };
}

const TRANSACT_FIELDS: ReadonlySet<string> = new Set([
  ...["key", "token", "epoch", "from", "nextOffset", "metadata", "mark", "acknowledged", "ttl"],
]);

/** Checks the entries of a reset. */
export function validateResetEntries(entries: unknown): ResetEntry[] {
  return batch("entries", entries, (entry: ResetEntry): ResetEntry => {
    refuseOtherFields(entry, RESET_FIELDS);
    const key = validateKey(entry.key);
    const { nextOffset, metadata, ttl, ifNextOffset, ifResetFrom } = entry;
    validateOffset("nextOffset", nextOffset);
    validateMetadata(metadata);
    validateTtl(ttl);
    if (ifNextOffset !== undefined && ifNextOffset !== null) validateOffset("ifNextOffset", ifNextOffset);
    if (ifResetFrom !== undefined) {
      validateResetFrom("ifResetFrom", ifResetFrom);
      const { at } = ifResetFrom;
      if (!(at instanceof Date)) throw new TypeError(`ifResetFrom.at must be a Date, not ${describe(at)}`);
    }
    return { key, nextOffset, metadata, ttl, ifNextOffset, ifResetFrom };
  });
}

const RESET_FIELDS: ReadonlySet<string> = new Set([
  "key",
  "nextOffset",
  "metadata",
  "ttl",
  "ifNextOffset",
  "ifResetFrom",
]);

/** Checks the entries of an expire. */
export function validateExpireEntries(entries: unknown): ExpireEntry[] {
  return batch("entries", entries, (entry: ExpireEntry): ExpireEntry => {
    refuseOtherFields(entry, EXPIRE_FIELDS);
    const key = validateKey(entry.key);
    const { ttl } = entry;
    if (ttl === undefined) throw new TypeError("ttl must be a number of milliseconds, or null for none");
    validateTtl(ttl);
    return { key, ttl };
  });
}

const EXPIRE_FIELDS: ReadonlySet<string> = new Set(["key", "ttl"]);

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
  if (Object.keys(selector).length > 1) throw new TypeError(`${field} must be the only field of a selector`);
}

/** A misspelt field would be ignored in silence, and its entry answered as if the field had counted. */
function refuseOtherFields(entry: object, known: ReadonlySet<string>): void {
  for (const field in entry) {
    if (!known.has(field)) {
      throw new TypeError(`an entry has no field ${JSON.stringify(field)}; known are ${[...known].join(", ")}`);
    }
  }
}

function validateFlag(what: string, value: unknown): asserts value is boolean | undefined {
  if (value !== undefined && typeof value !== "boolean") {
    throw new TypeError(`${what} must be a boolean, not ${describe(value)}`);
  }
}

/** The most characters of the text of acknowledged ranges: what is stored with a position stays small. */
export const MAX_ACKNOWLEDGED_BYTES = 1_024;

function validateAcknowledged(ranges: unknown, nextOffset: bigint): asserts ranges is readonly OffsetRange[] {
  if (!Array.isArray(ranges)) throw new TypeError(`acknowledged must be an array, not ${describe(ranges)}`);
  let after = nextOffset;
  for (const range of ranges as unknown[]) {
    if (typeof range !== "object" || range === null) {
      throw new TypeError(`acknowledged has a range that is ${describe(range)}, not { from, to }`);
    }
    const { from, to } = range as Partial<OffsetRange>;
    validateOffset("from", from);
    validateOffset("to", to);
    if (from <= after || to <= from) {
      throw new RangeError(
        `acknowledged must be ranges in ascending order, apart from each other and beyond nextOffset ${nextOffset}, not ${from} to ${to}`,
      );
    }
    after = to;
  }
  const bytes = rangesText(ranges as OffsetRange[]).length;
  if (bytes > MAX_ACKNOWLEDGED_BYTES) {
    throw new RangeError(
      `acknowledged is ${bytes} bytes long as text; at most ${MAX_ACKNOWLEDGED_BYTES} are stored with a position`,
    );
  }
}

function validateResetFrom(what: string, value: unknown): asserts value is NonNullable<CommitEntry["resetFrom"]> {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`${what} must be an object with a reason, not ${describe(value)}`);
  }
  const { nextOffset, reason } = value as NonNullable<CommitEntry["resetFrom"]>;
  if (nextOffset !== undefined) validateOffset(`${what}.nextOffset`, nextOffset);
  validateName(`${what}.reason`, reason);
}

/** Checks the text that goes with a position. */
export function validateMetadata(value: unknown): asserts value is string | undefined {
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
  const entries: Entry[] = [];
  let group: Set<number> | undefined;
  let groups: Map<string, Set<number>> | undefined;
  let last: OffsetKey | undefined;
  // By index and not by forEach, which passes over the holes of an array: each entry gets an answer or an error.
  for (let index = 0; index < given.length; index += 1) {
    const item = given[index] as unknown;
    if (typeof item !== "object" || item === null) {
      throw new TypeError(`${what}[${index}] must be an object, not ${describe(item)}`);
    }
    const entry = validate(item as Given);
    entries.push(entry);
    if (given.length === 1) break;
    const { consumer, topic, partition } = keyOf(entry);
    if (last?.consumer !== consumer || last.topic !== topic) {
      last = keyOf(entry);
      groups ??= new Map();
      // A name's length before it: no two pairs of names run into one.
      const identity = `${consumer.length}/${consumer}${topic}`;
      group = groups.get(identity);
      if (group === undefined) groups.set(identity, (group = new Set()));
    }
    const before = group?.size;
    // Two writes of one key in one batch have no order that every backend keeps.
    if (group?.add(partition).size === before) {
      throw new TypeError(`${what}[${index}] repeats the key ${JSON.stringify([consumer, topic, partition])}`);
    }
  }
  return entries;
}
