import type { MemberRecord } from "../member.ts";
import type { FetchOutcome, HeldOutcome } from "../offset-store.ts";
import type { SessionContext } from "./session-context.ts";

/** The members of the group that live. */
export async function livingMembers(
  { store, consumer, topic }: SessionContext,
  signal: AbortSignal | undefined,
): Promise<MemberRecord[]> {
  const living: MemberRecord[] = [];
  for await (const member of store.members({ consumer, topic }, { signal })) if (member.isLiving) living.push(member);
  return living;
}

/** Those of some partitions whose record names this member, and whether these are all. */
export async function heldByItself(
  context: SessionContext,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ readonly own: readonly number[]; readonly isSure: boolean }> {
  let isSure = true;
  const own = await those(context, partitions, signal, (outcome) => {
    // One that cannot be read is nobody's to take; one without an answer may be its own.
    if (outcome?.status === "failed" && outcome.error.retryable) isSure = false;
    return outcome?.status === "found" && outcome.record.member === context.member;
  });
  return { own, isSure };
}

/** Those of some partitions whose record is there and names no other member: free, whoever has expired. */
export async function releasedPartitions(
  context: SessionContext,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  return those(context, partitions, signal, (outcome) => {
    if (outcome?.status === "failed") throw outcome.error;
    return outcome?.status === "found" && [undefined, context.member].includes(outcome.record.member);
  });
}

/** Those of some partitions that are not held, as far as can be seen: the claim itself decides. */
export async function freePartitions(
  context: SessionContext,
  partitions: readonly number[],
  living: readonly MemberRecord[],
  /** Hears of one that is held by a member that does not share it: it is waited for until that member ends. */
  onWaiting: (record: HeldOutcome["record"]) => void,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const others = new Map(living.map(({ member, mode }) => [member, mode]));
  others.delete(context.member);
  return those(context, partitions, signal, (outcome) => {
    if (outcome?.status === "failed") throw outcome.error;
    if (outcome?.status !== "found" || outcome.record.member === undefined) return true;
    const mode = others.get(outcome.record.member);
    // One that shares gives it up by itself.
    if (mode !== undefined && mode !== "balanced") onWaiting(outcome.record);
    return mode === undefined;
  });
}

/** Those of some partitions of which this is true of what is stored. */
async function those(
  { store, consumer, topic }: SessionContext,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
  isIt: (outcome: FetchOutcome | undefined) => boolean,
): Promise<number[]> {
  if (partitions.length === 0) return [];
  const keys = partitions.map((partition) => ({ consumer, topic, partition }));
  const outcomes = await store.fetch(keys, { signal });
  return partitions.filter((_partition, index) => isIt(outcomes[index]));
}
