import type { ClaimEntry, CommitEntry, ExpireEntry, OffsetKey, ResetEntry } from "@tidemark/core";
import { MAX_TTL_MS } from "@tidemark/core/driver";
import type { Document } from "mongodb";
import { STORED_VERSION } from "./stored-document.ts";

/** How long a document remembers what a claim found: longer than any call waits for its answer is not needed. */
const CLAIM_MEMORY_MS = 60_000;
/** A refused update fails with a message that has this in it. */
const REFUSAL = "tidemark refuses ";

/**
 * Every write is an update of one `_id` by a pipeline that looks at the document itself: the server runs it as one atomic
 * step. Where the contract refuses the write, the pipeline fails on purpose. Thus the answer to a batch names each refused
 * entry by its index, and what is not named is written: nothing has to be read afterwards to know it (contract 3.1).
 *
 * Conditions in the filter could not do that: the answer only counts how many matched. And a filter of an upsert must not
 * have `$expr`, which alone compares with the server's clock.
 */
const REFUSE: Document = { $toLong: { $concat: [REFUSAL, "$_id"] } };

/** Tells whether a write was refused by its pipeline, or failed for another reason. */
export function isRefusalMessage(message: string): boolean {
  return message.includes(REFUSAL);
}

/** A date later than every expiry, for records that never expire. */
const NEVER = new Date(8_640_000_000_000_000);

/** Fields of a filter that passes what has not expired by the server's clock, foreign documents included. */
export const VISIBLE_FILTER: Document = {
  $or: [{ expiresAt: { $not: { $type: "date" } } }, { $expr: { $gt: ["$expiresAt", "$$NOW"] } }],
};

/**
 * The opposite of {@link VISIBLE_FILTER}. Not `$lte`: the DocumentDB engine looks for a bare comparison of an indexed field
 * in the index, and does not know the clock there.
 */
export const EXPIRED_FILTER: Document = {
  expiresAt: { $type: "date" },
  $expr: { $not: [{ $gt: ["$expiresAt", "$$NOW"] }] },
};

const IS_EXPIRED: Document = {
  $and: [{ $eq: [{ $type: "$expiresAt" }, "date"] }, { $lte: ["$expiresAt", "$$NOW"] }],
};

/** An upsert runs its pipeline on a document that has nothing but its `_id`. */
const IS_NEW: Document = { $lte: [{ $size: { $objectToArray: "$$ROOT" } }, 1] };

const RENEWED: Document = { $add: ["$$NOW", "$ttl"] };

const HAS_POSITION_OR_NULL: Document = { $in: [{ $type: "$nextOffset" }, ["long", "null"]] };

/**
 * Of the names of types those of the other numbers come before "long", and "null" after it. What else does is greater than
 * any position. Every operator of a commit costs a hundredth of it: this is one where an exact list would be two.
 */
const HAS_INT64_OR_GREATER: Document = { $gte: [{ $type: "$nextOffset" }, "long"] };

/** Whether the document has the types and ranges that reading it asks for. What reading would call corrupt is never overwritten. */
function isReadable(namespace: string, { consumer, topic, partition }: OffsetKey): Document {
  const conditions = [
    { $eq: ["$namespace", literal(namespace)] },
    { $eq: ["$consumer", literal(consumer)] },
    { $eq: ["$topic", literal(topic)] },
    { $eq: ["$partition", partition] },
    { $eq: ["$version", STORED_VERSION] },
    HAS_POSITION_OR_NULL,
    nullOr("$nextOffset", { $gte: ["$nextOffset", 0] }),
    { $eq: [{ $type: "$metadata" }, "string"] },
    { $in: [{ $type: "$ttl" }, ["long", "null"]] },
    nullOr("$ttl", { $gte: ["$ttl", 1] }),
    { $lte: ["$ttl", MAX_TTL_MS] },
    { $in: [{ $type: "$token" }, ["string", "null"]] },
    { $in: [{ $type: "$owner" }, ["string", "null"]] },
    { $in: [{ $type: "$claimedAt" }, ["date", "null"]] },
    { $in: [{ $type: "$committedAt" }, ["date", "null"]] },
    { $in: [{ $type: "$expiresAt" }, ["date", "null"]] },
  ];
  return { $and: conditions };
}

/** Where there is nothing, or only what has expired, the later stages start from a record without claim and position. */
function startEmptyIfGone(namespace: string, { consumer, topic, partition }: OffsetKey): Document {
  const empty = {
    _id: "$_id",
    namespace: literal(namespace),
    consumer: literal(consumer),
    topic: literal(topic),
    partition,
    version: STORED_VERSION,
    nextOffset: null,
    metadata: "",
    ttl: null,
    token: null,
    owner: null,
    claimedAt: null,
    committedAt: null,
    expiresAt: null,
    claims: { $cond: [{ $isArray: "$claims" }, "$claims", []] },
  };
  return { $replaceWith: { $cond: [{ $or: [IS_NEW, IS_EXPIRED] }, empty, "$$ROOT"] } };
}

/**
 * A claim. The document remembers what it found under the call's name, so that a batch needs one more read and no more,
 * and answers truly also where another claim came in between.
 */
export function claimPipeline(namespace: string, entry: ClaimEntry, call: string): Document[] {
  const found = {
    nextOffset: "$nextOffset",
    metadata: "$metadata",
    ttl: "$ttl",
    owner: "$owner",
    claimedAt: "$claimedAt",
    committedAt: "$committedAt",
    expiresAt: "$expiresAt",
  };
  // A record that is there has been claimed or written by an operator.
  const wasThere = { $or: [{ $ne: ["$claimedAt", null] }, { $ne: ["$committedAt", null] }] };
  const recent = {
    $filter: {
      input: { $cond: [{ $isArray: "$claims" }, "$claims", []] },
      as: "claim",
      cond: { $gt: ["$$claim.at", { $subtract: ["$$NOW", CLAIM_MEMORY_MS] }] },
    },
  };
  return [
    startEmptyIfGone(namespace, entry.key),
    {
      $set: {
        version: { $cond: [isReadable(namespace, entry.key), STORED_VERSION, REFUSE] },
        token: literal(entry.token),
        owner: literal(entry.owner),
        // The same token again is the same claim and keeps its first time (contract 3.4a).
        claimedAt: { $cond: [{ $eq: ["$token", literal(entry.token)] }, "$claimedAt", "$$NOW"] },
        claims: {
          $concatArrays: [[{ call, at: "$$NOW", found: { $cond: [wasThere, found, null] } }], recent],
        },
        ...lifetime(entry.ttl),
      },
    },
  ];
}

/** A commit or a renewal. */
export function commitPipeline(namespace: string, entry: CommitEntry): Document[] {
  const { key, token, nextToken, nextOffset, rewindFrom, ttl } = entry;
  const holds: Document[] = [{ $eq: ["$token", literal(token)] }];
  if (nextToken !== undefined) holds.push({ $eq: ["$token", literal(nextToken)] });
  const conditions: Document[] = [
    anyOf(holds),
    { $eq: ["$version", STORED_VERSION] },
    { $gt: [{ $ifNull: ["$expiresAt", NEVER] }, "$$NOW"] },
    { $gte: [{ $ifNull: ["$nextOffset", 0] }, 0] },
  ];
  // A ttl of nothing would end the record with this commit.
  if (ttl === undefined) conditions.push({ $gte: [{ $ifNull: ["$ttl", 1] }, 1] });
  const guarded = (value: bigint | number): Document => ({ $cond: [{ $and: conditions }, value, REFUSE] });
  let change: Document;
  if (nextOffset === undefined) {
    conditions.push(HAS_POSITION_OR_NULL);
    change = { version: guarded(STORED_VERSION) };
  } else {
    // Null, no position yet, is less than every number.
    const forward: Document[] = [{ $lte: ["$nextOffset", nextOffset] }];
    if (rewindFrom !== undefined) forward.push({ $eq: ["$nextOffset", rewindFrom] });
    conditions.push(HAS_INT64_OR_GREATER, anyOf(forward));
    change = { nextOffset: guarded(nextOffset), metadata: literal(entry.metadata ?? ""), committedAt: "$$NOW" };
  }
  if (nextToken !== undefined) change["token"] = literal(nextToken);
  const update = { $set: { ...change, ...lifetime(ttl) } };
  return entry.recreate === true ? [startEmptyIfGone(namespace, key), takeIfEmpty(entry), update] : [update];
}

/** A commit that may recreate gives an empty record its own token first, and is then a commit like any other. */
function takeIfEmpty({ token, owner }: CommitEntry): Document {
  const isEmpty = { $and: [{ $eq: ["$claimedAt", null] }, { $eq: ["$committedAt", null] }, { $eq: ["$token", null] }] };
  return {
    $set: {
      token: { $cond: [isEmpty, literal(token), "$token"] },
      owner: { $cond: [isEmpty, owner === undefined ? null : literal(owner), "$owner"] },
      claimedAt: { $cond: [isEmpty, "$$NOW", "$claimedAt"] },
    },
  };
}

/** An operator's write. */
export function resetPipeline(namespace: string, entry: ResetEntry): Document[] {
  return [
    startEmptyIfGone(namespace, entry.key),
    {
      $set: {
        version: { $cond: [isReadable(namespace, entry.key), STORED_VERSION, REFUSE] },
        nextOffset: entry.nextOffset,
        metadata: literal(entry.metadata ?? ""),
        token: null,
        owner: null,
        claimedAt: null,
        committedAt: "$$NOW",
        ...lifetime(entry.ttl),
      },
    },
  ];
}

/** A new time to live. */
export function expirePipeline(namespace: string, entry: ExpireEntry): Document[] {
  const condition = { $and: [{ $not: [IS_NEW] }, { $not: [IS_EXPIRED] }, isReadable(namespace, entry.key)] };
  return [{ $set: { version: { $cond: [condition, STORED_VERSION, REFUSE] }, ...lifetime(entry.ttl) } }];
}

/**
 * The first half of a removal: what is there, readable or not, becomes a record that expired long ago, marked with the
 * call that removed it. The second half deletes what has the mark. `which` says whether living or expired ones are meant.
 */
export function removePipeline(which: "visible" | "expired", call: string): Document[] {
  const isExpired = { $and: [IS_EXPIRED, { $eq: [{ $type: "$removedBy" }, "missing"] }] };
  const isVisible = { $and: [{ $not: [IS_NEW] }, { $not: [IS_EXPIRED] }] };
  return [
    {
      $replaceWith: {
        _id: { $cond: [which === "visible" ? isVisible : isExpired, "$_id", REFUSE] },
        version: STORED_VERSION,
        expiresAt: new Date(0),
        removedBy: call,
      },
    },
  ];
}

/** A pipeline that refuses for every document on a server that has all that the pipelines above need. */
export function probePipeline(): Document[] {
  return [{ $set: { probe: { $cond: [{ $gt: ["$$NOW", new Date(0)] }, REFUSE, 0] } } }];
}

function lifetime(ttl: number | null | undefined): Document {
  // Null plus anything is null: such a record never expires.
  if (ttl === undefined) return { expiresAt: RENEWED };
  if (ttl === null) return { ttl: null, expiresAt: null };
  return { ttl: BigInt(ttl), expiresAt: { $add: ["$$NOW", BigInt(ttl)] } };
}

function nullOr(field: string, condition: Document): Document {
  return { $or: [{ $eq: [field, null] }, condition] };
}

function anyOf(conditions: readonly Document[]): Document {
  const [first] = conditions;
  return conditions.length === 1 && first !== undefined ? first : { $or: conditions };
}

/** A value as it is: in a pipeline a string that begins with a dollar sign would name a field. */
function literal(value: string): unknown {
  return value.startsWith("$") ? { $literal: value } : value;
}
