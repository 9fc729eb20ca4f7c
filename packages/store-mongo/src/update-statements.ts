import type { Change } from "@tidemark/core/driver";
import type { Document } from "mongodb";
import { REMOVED } from "./stored-document.ts";

/** How many documents one update is of: each looks for its value among those of all. */
const MAX_GROUP = 100;

/** A change and the `_id` of its document. */
export interface PlacedChange {
  readonly id: string;
  readonly change: Change;
}

/** One statement of an `update` command, and the changes that it carries out. */
export interface UpdateStatement {
  readonly changes: readonly PlacedChange[];
  readonly statement: Document;
}

/** How statements are made. */
export interface StatementOptions {
  readonly namespace: string;
  /** Whether all changes must be stamped with one time. */
  readonly isTimed: boolean;
  /** Whether one update may be of many documents. */
  readonly isGrouped: boolean;
}

/** Whether a change takes it that nothing is stored. */
export function takesNothing({ expected }: Change): boolean {
  return expected === "any" || expected.includes(null);
}

/** Whether a change may make a document. */
export function isUpsert(change: Change): boolean {
  return change.value !== undefined && takesNothing(change);
}

/**
 * The updates that carry out changes, each an atomic step for each of its documents. Neighbours that differ in nothing but
 * `_id` and value, as those of a flush do, are one update: all documents are met in the order given.
 */
export function updateStatements(changes: readonly PlacedChange[], options: StatementOptions): UpdateStatement[] {
  const groups: PlacedChange[][] = [];
  let group: PlacedChange[] = [];
  let groupLikeness = "";
  for (const placed of changes) {
    const { expected, version, value, reclaimAfter } = placed.change;
    const isAlike = options.isGrouped && !takesNothing(placed.change) && expected.length === 1;
    const likeness = isAlike ? `${expected[0]} ${version} ${value === undefined ? REMOVED : reclaimAfter}` : "";
    if (likeness === "" || likeness !== groupLikeness || group.length === MAX_GROUP) groups.push((group = []));
    group.push(placed);
    groupLikeness = likeness;
  }
  return groups.map((each) => {
    const [first] = each;
    return { changes: each, statement: each.length === 1 && first ? updateOne(first, options) : updateMany(each) };
  });
}

/** Only a pipeline can compute with the server's clock, and all pipelines of one command have one time; plainly is cheaper. */
function updateOne(placed: PlacedChange, { namespace, isTimed }: StatementOptions): Document {
  const { key, expected, version, value, reclaimAfter } = placed.change;
  const q = filterOf(placed);
  if (value === undefined) return { q, u: removal(version) };
  const upsert = isUpsert(placed.change);
  const [previous = ""] = expected;
  const fields = upsert ? { version, value, namespace, topic: key.topic } : { version, previous, value };
  // What is made may take the place of what is removed.
  const unset = upsert ? { removedBy: "", expiresAt: "" } : { expiresAt: "" };
  if (isTimed || typeof reclaimAfter === "number") {
    // A string that begins with a dollar sign would name a field.
    const texts = Object.entries(fields).map(([name, text]) => [name, { $literal: text }]);
    return { q, u: [{ $unset: Object.keys(unset) }, ...pipeline(Object.fromEntries(texts), reclaimAfter)], upsert };
  }
  const isUnset = upsert || reclaimAfter === null;
  return { q, u: { $set: fields, $currentDate: { writtenAt: true }, ...(isUnset && { $unset: unset }) }, upsert };
}

/**
 * The filter that finds what a change expects. Where that may be nothing, it is what is removed, or what this very write has
 * stored if it was sent before; a document with another version makes the upsert a duplicate key.
 */
function filterOf({ id, change }: PlacedChange): Document {
  const { expected, version, value } = change;
  if (expected === "any") return value === undefined ? { _id: id, version: { $ne: REMOVED } } : { _id: id };
  const nothing = value === undefined ? [] : [REMOVED, version];
  const versions = expected.flatMap((each) => each ?? nothing);
  return { _id: id, version: versions.length === 1 ? versions[0] : { $in: versions } };
}

/** Every document finds its value by its `_id`. */
function updateMany(group: readonly PlacedChange[]): Document {
  const { expected = [], version = "", value, reclaimAfter } = group[0]?.change ?? {};
  const ids = group.map(({ id }) => id);
  const q = { _id: { $in: ids }, version: expected[0] };
  if (value === undefined) return { q, u: removal(version), multi: true };
  const values = { $literal: group.map(({ change }) => change.value) };
  const own = { $arrayElemAt: [values, { $indexOfArray: [{ $literal: ids }, "$_id"] }] };
  return { q, u: pipeline({ version, previous: expected[0], value: own }, reclaimAfter), multi: true };
}

function pipeline(fields: Document, reclaimAfter: number | null | undefined): Document[] {
  const stamped = { ...fields, writtenAt: "$$NOW" };
  if (reclaimAfter === undefined) return [{ $set: stamped }];
  if (reclaimAfter === null) return [{ $set: stamped }, { $unset: "expiresAt" }];
  return [{ $set: { ...stamped, expiresAt: { $add: ["$$NOW", BigInt(reclaimAfter)] } } }];
}

function removal(version: string): Document[] {
  const document = { _id: "$_id", version: REMOVED, removedBy: version, previous: "$version", expiresAt: "$$NOW" };
  return [{ $replaceWith: document }];
}
