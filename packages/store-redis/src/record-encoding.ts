import { MAX_OFFSET, type StoredOffset } from "@tidemark/core/driver";

/**
 * One record as a hash keeps it: the version, seven numbers (times may be empty: there is none), three texts one after the
 * other, and the position (empty: none).
 *
 *     1;COMMITTED_AT;EXPIRES_AT;TTL;CLAIMED_AT;TOKEN_BYTES;OWNER_BYTES;METADATA_BYTES;TOKEN OWNER METADATA;NEXT_OFFSET
 *
 * The scripts read and write the same (scripts/record.ts); texts have their lengths before them, so that they may hold
 * anything. Times are milliseconds of the server's clock. The position comes last, because it alone differs among the
 * records of a session's flushes: the script that commits looks at what is before it once for all of them.
 */
const HEADER = /^1;(\d*);(\d{0,15});(\d{0,15});(\d*);(\d+);(\d+);(\d+);/u;
/** The position, and what separates it from the texts. */
const POSITION = /;(\d*)$/u;

/** What stands where a record should be. */
export class UnreadableRecordError extends Error {
  override readonly name = "UnreadableRecordError";
}

/** Says that a hash's field holds no record of ours. `version` is what it begins with. */
export function unreadableField(redisKey: string, field: string, version: string): UnreadableRecordError {
  const what = /^\d+$/u.test(version) && version !== "1" ? `a record of version ${version}` : "no record of this store";
  return new UnreadableRecordError(
    `the field ${JSON.stringify(field)} of the Redis hash ${JSON.stringify(redisKey)} holds ${what}; it is left as it is: ` +
      "use a newer release, restore it, or delete the key",
  );
}

/** Says that what lies under a group's key is no hash. */
export function foreignKey(redisKey: string): UnreadableRecordError {
  return new UnreadableRecordError(
    `the Redis key ${JSON.stringify(redisKey)} holds something that is no hash; it is left as it is: rename it, or delete ` +
      "the records by their keys",
  );
}

/**
 * Reads a record.
 *
 * @throws UnreadableRecordError if it is none.
 */
export function decodeRecord(redisKey: string, field: string, text: string): StoredOffset {
  const match = HEADER.exec(text);
  if (match === null) throw unreadableField(redisKey, field, text.slice(0, Math.max(0, text.indexOf(";"))));
  const [header, committedAt = "", expiresAt = "", ttl = "", claimedAt = "", ...sizes] = match;
  const [tokenBytes = 0, ownerBytes = 0, metadataBytes = 0] = sizes.map(Number);
  const total = tokenBytes + ownerBytes + metadataBytes;
  const last = POSITION.exec(text.slice(header.length));
  if (last === null) throw unreadableField(redisKey, field, "");
  const [, nextOffset = ""] = last;
  let texts = text.slice(header.length, header.length + last.index);
  let slice = (from: number, to: number): string => texts.slice(from, to);
  // Lengths are of UTF-8; where the characters are as many as the bytes, all of them are ASCII.
  if (texts.length !== total) {
    const bytes = Buffer.from(texts);
    texts = "";
    slice = (from, to) => bytes.toString("utf8", from, to);
    if (bytes.length !== total) throw unreadableField(redisKey, field, "");
  }
  const position = nextOffset === "" ? undefined : BigInt(nextOffset);
  const times = [expiresAt, ttl, committedAt, claimedAt].map((time) => (time === "" ? undefined : Number(time)));
  if (
    (expiresAt === "") !== (ttl === "") ||
    (position !== undefined && (position > MAX_OFFSET || String(position) !== nextOffset)) ||
    times.some((time) => time !== undefined && !Number.isSafeInteger(time))
  ) {
    throw unreadableField(redisKey, field, "");
  }
  const afterOwner = tokenBytes + ownerBytes;
  return {
    nextOffset: position,
    metadata: slice(afterOwner, total),
    ttl: times[1],
    token: tokenBytes === 0 ? undefined : slice(0, tokenBytes),
    owner: ownerBytes === 0 ? undefined : slice(tokenBytes, afterOwner),
    claimedAt: times[3],
    committedAt: times[2],
    expiresAt: times[0],
  };
}

/** Writes a record. */
export function encodeRecord(stored: StoredOffset): string {
  const { expiresAt, ttl, nextOffset, committedAt, claimedAt, token, owner, metadata } = stored;
  const texts = [token ?? "", owner ?? "", metadata];
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const numbers = [1, committedAt, expiresAt, ttl, claimedAt, ...sizes].map((part) => part ?? "");
  return `${numbers.join(";")};${texts.join("")};${nextOffset ?? ""}`;
}
