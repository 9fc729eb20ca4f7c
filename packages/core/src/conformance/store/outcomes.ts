import { assert } from "../assert.ts";
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";

import type { OffsetKey } from "../../key.ts";
import type { OffsetRecord } from "../../offset-record.ts";
import type {
  ClaimedOutcome,
  ClaimEntry,
  CommitEntry,
  CommitOutcome,
  OffsetFilter,
  OffsetStore,
  ResetEntry,
} from "../../offset-store.ts";

/** The stores that cases work on: what transaction they take does not matter to them. */
export type AnyStore = OffsetStore<unknown>;

/** A key, of consumer "c1", topic "orders", partition 0 by default. */
export function keyOf(parts: Partial<OffsetKey> = {}): OffsetKey {
  return { consumer: "c1", topic: "orders", partition: 0, ...parts };
}

/** A token as sessions make them: 128 random bits. */
export function newToken(): string {
  return randomBytes(16).toString("hex");
}

/** Claims one key, expects success, gives the answer. */
export async function claimed(
  store: AnyStore,
  key: OffsetKey,
  token: string,
  more: Partial<ClaimEntry> = {},
): Promise<ClaimedOutcome> {
  const outcomes = await store.claim([{ key, token, owner: "owner-1", ...more }]);
  const outcome = only(outcomes);
  if (outcome.status !== "claimed") assert.fail(`the claim was not answered with "claimed": ${inspect(outcome)}`);
  assert.ok(Number.isSafeInteger(outcome.epoch), `the epoch of a claim must be a whole number: ${inspect(outcome)}`);
  return outcome;
}

/** Claims one key, expects success, gives what the claim found. */
export async function claim(
  store: AnyStore,
  key: OffsetKey,
  token: string,
  more: Partial<ClaimEntry> = {},
): Promise<OffsetRecord | undefined> {
  return (await claimed(store, key, token, more)).record;
}

/** Commits one key and gives the answer. */
export async function commit(
  store: AnyStore,
  key: OffsetKey,
  token: string,
  nextOffset?: bigint,
  more: Partial<CommitEntry> = {},
): Promise<CommitOutcome> {
  return only(await store.commit([{ key, token, ...(nextOffset !== undefined && { nextOffset }), ...more }]));
}

/** Commits one key and expects success. */
export async function committed(
  store: AnyStore,
  key: OffsetKey,
  token: string,
  nextOffset?: bigint,
  more: Partial<CommitEntry> = {},
): Promise<void> {
  assert.deepEqual(withoutTtl(await commit(store, key, token, nextOffset, more)), { status: "committed" });
}

/** Moves one key back, expects success, gives the epoch that begins with it. */
export async function rewound(
  store: AnyStore,
  key: OffsetKey,
  token: string,
  nextOffset: bigint,
  more: Partial<CommitEntry> = {},
): Promise<number> {
  const outcome = await commit(store, key, token, nextOffset, { rewind: true, ...more });
  if (outcome.status !== "committed") assert.fail(`the rewind was not answered with "committed": ${inspect(outcome)}`);
  const { epoch } = outcome;
  assert.ok(Number.isSafeInteger(epoch), `a rewind must be answered with its epoch: ${inspect(outcome)}`);
  return epoch as number;
}

/** Reads one key: its record, or `undefined` for a confirmed miss; a failure fails the case. */
export async function fetched(store: AnyStore, key: OffsetKey): Promise<OffsetRecord | undefined> {
  const outcome = only(await store.fetch([key]));
  if (outcome.status === "failed") assert.fail(`the fetch failed: ${inspect(outcome.error)}`);
  return outcome.status === "found" ? outcome.record : undefined;
}

/** Reads one key that must be there. */
export async function found(store: AnyStore, key: OffsetKey): Promise<OffsetRecord> {
  const record = await fetched(store, key);
  assert.ok(record, `nothing is stored under ${JSON.stringify(key)}`);
  return record;
}

/** Resets one key and expects success. */
export async function reset(
  store: AnyStore,
  key: OffsetKey,
  nextOffset: bigint,
  more: Partial<ResetEntry> = {},
): Promise<void> {
  assert.deepEqual(await store.reset([{ key, nextOffset, ...more }]), [{ status: "reset" }]);
}

/** Changes the time to live of one key that must be there. */
export async function expire(store: AnyStore, key: OffsetKey, ttl: number | null): Promise<void> {
  assert.deepEqual(await store.expire([{ key, ttl }]), [{ status: "set" }]);
}

/** Lists to the end. */
export async function listed(store: AnyStore, filter?: OffsetFilter): Promise<OffsetRecord[]> {
  const records: OffsetRecord[] = [];
  for await (const record of store.list(filter)) records.push(record);
  return records;
}

/** Keys as sorted text, to compare sets of them. */
export function identities(keys: Iterable<OffsetKey>): string[] {
  return Array.from(keys, ({ consumer, topic, partition }) => JSON.stringify([consumer, topic, partition])).toSorted();
}

/** The one element of an answer to one entry. */
export function only<Item>(items: readonly Item[]): Item {
  assert.equal(items.length, 1, "one entry must get one answer");
  return items[0] as Item;
}

/** A record's position and text, for comparison. */
export function position(
  record: OffsetRecord | undefined,
): { nextOffset: bigint | undefined; metadata: string } | undefined {
  return record && { nextOffset: record.nextOffset, metadata: record.metadata };
}

/** What a renewal leaves as it is: all but when the record was last written, and when it expires. */
export function lasting(record: OffsetRecord): Omit<OffsetRecord, "updatedAt" | "expiresAt"> {
  const { updatedAt: _, expiresAt: __, ...rest } = record;
  return rest;
}

/** Expects calls to succeed that have no reason to fail but what went before: says `when` if they do. */
export async function worksOn(when: string, calls: () => Promise<unknown>): Promise<void> {
  try {
    await calls();
  } catch (error) {
    assert.fail(`${when} the store does not work: ${String(error)}`);
  }
}

/** An answer without its TTL: that has cases of its own. */
function withoutTtl(outcome: CommitOutcome): CommitOutcome {
  if (outcome.status !== "committed") return outcome;
  const { ttl: _, ...rest } = outcome;
  return rest;
}
