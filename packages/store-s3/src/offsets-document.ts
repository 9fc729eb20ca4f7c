import { MAX_OFFSET, MAX_PARTITION, type StoredOffset } from "@tidemark/core/driver";

/** What one object holds: the positions of one consumer on one topic. */
export interface OffsetsDocument {
  /** The ids of the last writes, newest first. Each is random: it makes every body, hence every ETag, one of a kind. */
  readonly writes: readonly string[];
  readonly partitions: ReadonlyMap<number, PartitionEntry>;
}

/** What a document holds for one partition: a position, or something that is none and is carried along as it is. */
export type PartitionEntry = ReadableEntry | UnreadableEntry;

export interface ReadableEntry {
  /** Times in milliseconds; `NaN` is the moment at which the object is written. */
  readonly stored: StoredOffset;
  /**
   * The entry counts only if its object was written before this time, in milliseconds: then the record that it goes on
   * from would have expired. So a write that arrives late brings nothing back, whoever looks (contract 3.5).
   */
  readonly until: number | undefined;
}

export interface UnreadableEntry {
  readonly raw: unknown;
}

/** The object is not one of ours, or no longer. */
export class UnreadableDocumentError extends Error {
  override readonly name = "UnreadableDocumentError";
}

/** The object was written by a release that knows more. */
export class NewerDocumentError extends Error {
  override readonly name = "NewerDocumentError";
}

/** One partition of a document cannot be read. */
export class UnreadableEntryError extends Error {
  override readonly name = "UnreadableEntryError";
}

const FORMAT = "tidemark-offsets";
const VERSION = 1;
/** How many writes a document remembers: a write whose answer was lost is found again although others followed it. */
export const REMEMBERED_WRITES = 8;
/** The step of S3's clock: `Last-Modified` and `Date` are whole seconds. */
export const CLOCK_STEP_MS = 1_000;

/** Writes a document as JSON. A time of `NaN` becomes `null`: the object's own `Last-Modified`. */
export function serialiseDocument({ writes, partitions }: OffsetsDocument): string {
  const entries: Record<string, unknown> = {};
  for (const [partition, entry] of partitions) entries[partition] = serialiseEntry(entry);
  return JSON.stringify({
    format: FORMAT,
    version: VERSION,
    writes,
    partitions: entries,
  });
}

function serialiseEntry(entry: PartitionEntry): unknown {
  if ("raw" in entry) return entry.raw;
  const { stored, until } = entry;
  return {
    nextOffset: stored.nextOffset?.toString(),
    metadata: stored.metadata === "" ? undefined : stored.metadata,
    ttl: stored.ttl,
    token: stored.token,
    owner: stored.owner,
    claimedAt: stored.claimedAt,
    committedAt: stored.committedAt,
    expiresAt: stored.expiresAt,
    until,
  };
}

/**
 * Reads a document that was written at a time, in milliseconds: times written as `null` become that time, and an entry
 * that was written too late to count is one that has expired.
 */
export function parseDocument(text: string, writtenAt: number): OffsetsDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UnreadableDocumentError("is not JSON");
  }
  if (!isObject(value) || value["format"] !== FORMAT || !Number.isSafeInteger(value["version"])) {
    throw new UnreadableDocumentError("is not a document of Tidemark");
  }
  if (value["version"] !== VERSION) {
    throw new NewerDocumentError(`has the version ${String(value["version"])}; this release reads version ${VERSION}`);
  }
  const { writes, partitions: entries } = value;
  if (!Array.isArray(writes) || !writes.every((write) => typeof write === "string") || !isObject(entries)) {
    throw new UnreadableDocumentError("has lost its parts");
  }
  const partitions = new Map<number, PartitionEntry>();
  for (const [name, raw] of Object.entries(entries)) {
    const partition = Number(name);
    if (!Number.isSafeInteger(partition) || partition < 0 || partition > MAX_PARTITION || String(partition) !== name) {
      throw new UnreadableDocumentError(`holds ${JSON.stringify(name.slice(0, 40))}, which is no partition`);
    }
    partitions.set(partition, parseEntry(raw, writtenAt));
  }
  return { writes, partitions };
}

/** The same document with the moment of its writing filled in. */
export function settleEntries(
  partitions: ReadonlyMap<number, PartitionEntry>,
  writtenAt: number,
): Map<number, PartitionEntry> {
  const settled = new Map<number, PartitionEntry>();
  for (const [partition, entry] of partitions) {
    const isOld = "raw" in entry || (entry.until === undefined && !hasOpenTime(entry.stored));
    settled.set(partition, isOld ? entry : { stored: settleTimes(entry.stored, writtenAt), until: undefined });
  }
  return settled;
}

/** The same position with the moment of its writing filled in. */
export function settleTimes(stored: StoredOffset, writtenAt: number): StoredOffset {
  if (!hasOpenTime(stored)) return stored;
  return {
    ...stored,
    claimedAt: Number.isNaN(stored.claimedAt) ? writtenAt : stored.claimedAt,
    committedAt: Number.isNaN(stored.committedAt) ? writtenAt : stored.committedAt,
    // S3 rounds the moment of writing down. Rounded up instead, nothing expires early; it may be a second late.
    expiresAt: Number.isNaN(stored.expiresAt) ? writtenAt + CLOCK_STEP_MS + (stored.ttl ?? 0) : stored.expiresAt,
  };
}

function hasOpenTime({ claimedAt, committedAt, expiresAt }: StoredOffset): boolean {
  return Number.isNaN(claimedAt) || Number.isNaN(committedAt) || Number.isNaN(expiresAt);
}

function parseEntry(raw: unknown, writtenAt: number): PartitionEntry {
  if (!isObject(raw)) return { raw };
  const { nextOffset, metadata = "", ttl, token, owner, claimedAt, committedAt, expiresAt, until } = raw;
  const isReadable =
    (nextOffset === undefined || isOffset(nextOffset)) &&
    typeof metadata === "string" &&
    isOptionalText(token) &&
    isOptionalText(owner) &&
    (ttl === undefined || (Number.isSafeInteger(ttl) && (ttl as number) > 0)) &&
    isOptionalTime(claimedAt) &&
    isOptionalTime(committedAt) &&
    isOptionalTime(expiresAt) &&
    (until === undefined || Number.isSafeInteger(until)) &&
    (ttl === undefined) === (expiresAt === undefined);
  if (!isReadable) return { raw };
  const isTooLate = until !== undefined && writtenAt >= (until as number);
  const stored: StoredOffset = {
    nextOffset: nextOffset === undefined ? undefined : BigInt(nextOffset as string),
    metadata,
    ttl: ttl as number | undefined,
    token: token as string | undefined,
    owner: owner as string | undefined,
    claimedAt: openIfNull(claimedAt),
    committedAt: openIfNull(committedAt),
    expiresAt: isTooLate ? (until as number) : openIfNull(expiresAt),
  };
  return { stored: settleTimes(stored, writtenAt), until: undefined };
}

function openIfNull(time: unknown): number | undefined {
  return time === null ? Number.NaN : (time as number | undefined);
}

function isOffset(value: unknown): boolean {
  return typeof value === "string" && /^(?:0|[1-9]\d{0,18})$/u.test(value) && BigInt(value) <= MAX_OFFSET;
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isOptionalTime(value: unknown): boolean {
  return value === undefined || value === null || Number.isSafeInteger(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
