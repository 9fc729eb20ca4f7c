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

/** Those of some partitions whose record names this member. */
export async function heldByItself(
  context: SessionContext,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const outcomes = await fetched(context, partitions, signal);
  return partitions.filter((_partition, index) => {
    const outcome = outcomes[index];
    return outcome?.status === "found" && outcome.record.member === context.member;
  });
}

/** Those of some partitions whose record is there and names no other member: free, whoever has expired. */
export async function releasedPartitions(
  context: SessionContext,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const outcomes = await fetched(context, partitions, signal);
  return partitions.filter((_partition, index) => {
    const outcome = outcomes[index];
    if (outcome?.status === "failed") throw outcome.error;
    if (outcome?.status !== "found") return false;
    const { member } = outcome.record;
    return member === undefined || member === context.member;
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
  const outcomes = await fetched(context, partitions, signal);
  return partitions.filter((_partition, index) => {
    const outcome = outcomes[index];
    if (outcome?.status === "failed") throw outcome.error;
    if (outcome?.status !== "found" || outcome.record.member === undefined) return true;
    const mode = others.get(outcome.record.member);
    // One that shares gives it up by itself.
    if (mode !== undefined && mode !== "balanced") onWaiting(outcome.record);
    return mode === undefined;
  });
}

async function fetched(
  { store, consumer, topic }: SessionContext,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<readonly FetchOutcome[]> {
  if (partitions.length === 0) return [];
  return store.fetch(
    partitions.map((partition) => ({ consumer, topic, partition })),
    { signal },
  );
}
