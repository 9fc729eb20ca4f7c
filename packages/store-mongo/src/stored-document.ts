import type { OffsetKey } from "@tidemark/core";
import { MAX_OFFSET, MAX_TTL_MS, type StoredOffset } from "@tidemark/core/driver";

/** The version of the stored form that this package writes and reads. */
export const STORED_VERSION = 1;

/**
 * What the store keeps for one key. Every field is always there, `null` where there is nothing to say, so that one
 * comparison does for both.
 */
export interface StoredDocument {
  /** See `record-id.ts`. */
  readonly _id: string;
  readonly namespace: string;
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly version: number;
  /** An int64 (a `bigint` here: the store's handles read them so). */
  readonly nextOffset: bigint | null;
  readonly metadata: string;
  /** Milliseconds, an int64. */
  readonly ttl: bigint | null;
  readonly token: string | null;
  readonly owner: string | null;
  readonly claimedAt: Date | null;
  readonly committedAt: Date | null;
  readonly expiresAt: Date | null;
  /** What the claims of the last minute found, see `update-pipelines.ts`. */
  readonly claims?: readonly RememberedClaim[];
}

/** What one call of `claim` found under a key. It stays for as long as that call may still ask for it. */
export interface RememberedClaim {
  /** The call's own random name. */
  readonly call: string;
  readonly at: Date;
  readonly found: FoundByClaim | null;
}

/** The part of a record that a claim can change, or that can change after it. */
export type FoundByClaim = Pick<
  StoredDocument,
  "nextOffset" | "metadata" | "ttl" | "owner" | "claimedAt" | "committedAt" | "expiresAt"
>;

/** What is stored is not a record of ours. It is left as it is. */
export class UnreadableDocumentError extends Error {
  override readonly name = "UnreadableDocumentError";
}

/** A claim was written, and its record deleted before what the claim had found could be read. */
export class ClaimDeletedError extends Error {
  override readonly name = "ClaimDeletedError";

  constructor() {
    super("the record was deleted while it was claimed; claim it again");
  }
}

/**
 * Reads a document that was found under a key.
 *
 * @throws `UnreadableDocumentError` if somebody else wrote or changed it, or a newer version of this package did.
 */
export function readDocument(namespace: string, key: OffsetKey, document: Record<string, unknown>): StoredOffset {
  if (document["version"] !== STORED_VERSION) {
    const version = document["version"];
    const found = typeof version === "number" ? `its version is ${version}` : "it has no version";
    throw unreadable(`${found}, and this release reads version ${STORED_VERSION}`);
  }
  for (const [field, value] of Object.entries({ namespace, ...key })) {
    if (document[field] !== value) throw unreadable(`its ${field} is not the one that its _id says`);
  }
  return { ...readFound(document), token: text(document, "token") };
}

/** Reads what a claim remembered, or the like fields of a document. */
export function readFound(document: Record<string, unknown>): StoredOffset {
  const { metadata } = document;
  if (typeof metadata !== "string") throw unreadable("its metadata is no string");
  const ttl = int64(document, "ttl", 1n, BigInt(MAX_TTL_MS));
  return {
    nextOffset: int64(document, "nextOffset", 0n, MAX_OFFSET),
    metadata,
    ttl: ttl === undefined ? undefined : Number(ttl),
    token: undefined,
    owner: text(document, "owner"),
    claimedAt: time(document, "claimedAt"),
    committedAt: time(document, "committedAt"),
    expiresAt: time(document, "expiresAt"),
  };
}

function int64(document: Record<string, unknown>, field: string, least: bigint, most: bigint): bigint | undefined {
  const value = document[field];
  if (value === null) return undefined;
  if (typeof value !== "bigint") throw unreadable(`its ${field} is no int64`);
  if (value < least || value > most) throw unreadable(`its ${field} is ${value}`);
  return value;
}

function text(document: Record<string, unknown>, field: string): string | undefined {
  const value = document[field];
  if (value === null) return undefined;
  if (typeof value !== "string") throw unreadable(`its ${field} is no string`);
  return value;
}

function time(document: Record<string, unknown>, field: string): number | undefined {
  const value = document[field];
  if (value === null) return undefined;
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw unreadable(`its ${field} is no date`);
  return value.getTime();
}

function unreadable(why: string): UnreadableDocumentError {
  return new UnreadableDocumentError(
    `the document under this key is not a record of this store: ${why}; it is left as it is: repair it or delete the key`,
  );
}
