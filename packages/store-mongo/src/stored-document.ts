import { type ReadEntry, UnreadableRecordError } from "@tidemark/core/driver";
import type { Document } from "mongodb";

/** What the store keeps for one key. */
export interface StoredDocument {
  /** See {@link EntryIds}. */
  readonly _id: string;
  /** For listing by topic alone: ids begin with namespace and consumer. */
  readonly namespace?: string;
  readonly topic?: string;
  readonly version: string;
  /** An earlier version, as a rule the one before: its writer sees that it was written. */
  readonly previous?: string;
  /** The record as core's text. */
  readonly value?: string;
  /** Stamped by the server. */
  readonly writtenAt?: Date;
  /** From when the TTL index may remove it; only where the record has a time to live, or is removed. */
  readonly expiresAt?: Date;
  /** The version of the change that removed the entry. */
  readonly removedBy?: string;
}

/**
 * The version of what is removed: a removal turns a document into one that counts for nothing, and deletes it afterwards. Of
 * several deletions in one command only their number would be returned, and nothing would be left to see which they were.
 */
export const REMOVED = "removed";

/** What a query gives of an entry, with the server's clock when the query began. */
export const ENTRY_FIELDS = Object.freeze({ version: 1, value: 1, writtenAt: 1, now: "$$NOW" });

/** Of entries that have a time to live those whose time is up. Not `$lte`: there the DocumentDB engine does not know the clock. */
export const EXPIRED: Document = Object.freeze({
  expiresAt: { $type: "date" },
  $expr: { $not: [{ $gt: ["$expiresAt", "$$NOW"] }] },
});

/** Reads a document, if there is one; what another program wrote is unreadable. */
export function readEntry({ version, value, writtenAt }: Document = { version: REMOVED }): ReadEntry {
  if (version === REMOVED) return undefined;
  if (typeof version !== "string") return { error: new UnreadableRecordError("it has no version") };
  if (typeof value !== "string") return { version, error: new UnreadableRecordError("its value is not a string") };
  if (!(writtenAt instanceof Date) || Number.isNaN(writtenAt.getTime())) {
    return { version, error: new UnreadableRecordError("its writtenAt is not a date") };
  }
  return { version, value, writtenAt: writtenAt.getTime() };
}
