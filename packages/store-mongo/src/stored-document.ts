import { type Change, type StoredEntry, type UnreadableEntry, UnreadableRecordError } from "@tidemark/core/driver";
import type { AnyBulkWriteOperation, Document } from "mongodb";

/** What the store keeps for one key. */
export interface StoredDocument {
  /** See {@link EntryIds}. */
  readonly _id: string;
  /** For listing by topic alone: ids begin with namespace and consumer. */
  readonly namespace: string;
  readonly topic: string;
  readonly version: string;
  /** The record as core's text. */
  readonly value: string;
  /** Stamped by the server. */
  readonly writtenAt: Date;
  /** From when the TTL index may remove it; only where the record has a time to live. */
  readonly expiresAt?: Date;
}

/** What a query gives of an entry, with the server's clock when the query began. */
export const ENTRY_FIELDS = Object.freeze({ version: 1, value: 1, writtenAt: 1, now: "$$NOW" });

/** Of entries that have a time to live those whose time is up. Not `$lte`: there the DocumentDB engine does not know the clock. */
export const EXPIRED: Document = Object.freeze({
  expiresAt: { $type: "date" },
  $expr: { $not: [{ $gt: ["$expiresAt", "$$NOW"] }] },
});

/** Reads a document; one that somebody else wrote is unreadable. */
export function readEntry({ version, value, writtenAt }: Document): StoredEntry | UnreadableEntry {
  if (typeof version !== "string") return { error: new UnreadableRecordError("it has no version") };
  if (typeof value !== "string") return { version, error: new UnreadableRecordError("its value is no string") };
  if (!(writtenAt instanceof Date) || Number.isNaN(writtenAt.getTime())) {
    return { version, error: new UnreadableRecordError("its writtenAt is no date") };
  }
  return { version, value, writtenAt: writtenAt.getTime() };
}

/** Whether a change may write where nothing is stored. */
export function isUpsert({ expected }: Change): boolean {
  return expected === "any" || expected.includes(null);
}

/**
 * The filter that finds what a change expects. Where that may be nothing, the change's own version stands for it, which only
 * this very write has stored if the driver sends it again; a document with another version makes the upsert a duplicate key.
 */
export function filterOf(id: string, { expected, version }: Change): Document {
  if (expected === "any") return { _id: id };
  const versions = expected.map((each) => each ?? version);
  return { _id: id, version: versions.length === 1 ? versions[0] : { $in: versions } };
}

/**
 * The update of one document that carries out a change. Only a pipeline can compute with the server's clock, and all
 * pipelines of one command have the same time; the plain form is cheaper.
 */
export function updateOf(
  id: string,
  namespace: string,
  change: Change,
  isTimed: boolean,
): AnyBulkWriteOperation<StoredDocument> {
  const { version, value, reclaimAfter } = change;
  const filter = filterOf(id, change);
  const upsert = isUpsert(change);
  const names = upsert && { namespace, topic: change.key.topic };
  if (!isTimed && typeof reclaimAfter !== "number") {
    const update = {
      $set: { version, value },
      $currentDate: { writtenAt: true },
      ...(names !== false && { $setOnInsert: names }),
      ...(reclaimAfter === null && { $unset: { expiresAt: "" } }),
    };
    return { updateOne: { filter, update: update as Document, upsert } };
  }
  const fields: Document = { writtenAt: "$$NOW" };
  // A string that begins with a dollar sign would name a field.
  for (const [name, text] of Object.entries({ version, value, ...names })) fields[name] = { $literal: text };
  if (typeof reclaimAfter === "number") fields["expiresAt"] = { $add: ["$$NOW", BigInt(reclaimAfter)] };
  const pipeline: Document[] = [{ $set: fields }];
  if (reclaimAfter === null) pipeline.push({ $unset: "expiresAt" });
  return { updateOne: { filter, update: pipeline, upsert } };
}
