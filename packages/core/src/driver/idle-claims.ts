import type { ClaimOutcome, HeldOutcome } from "../offset-store.ts";
import type { MemberKey } from "../member.ts";
import type { JudgedClaimEntry } from "./decisions.ts";
import type { ReadEntry } from "./driver.ts";
import type { Looks } from "./looks.ts";
import { parseMemberText, type StoredMember } from "./member-text.ts";
import { hasEnded } from "./process-identity.ts";

/** A claim that was answered with `held`, and its place in the call. */
export interface HeldClaim {
  readonly at: number;
  readonly entry: JudgedClaimEntry;
  readonly record: HeldOutcome["record"];
}

/** Those claims of a call whose key has another holder. */
export function heldClaims(entries: readonly JudgedClaimEntry[], outcomes: readonly ClaimOutcome[]): HeldClaim[] {
  const held: HeldClaim[] = [];
  for (const [at, outcome] of outcomes.entries()) {
    const entry = entries[at];
    if (outcome.status === "held" && entry !== undefined) held.push({ at, entry, record: outcome.record });
  }
  return held;
}

/** The members that hold the keys, each once. */
export function holdersOf(held: readonly HeldClaim[]): MemberKey[] {
  const holders = new Map<string, MemberKey>();
  for (const { record } of held) {
    const { consumer, topic, member } = record;
    if (member !== undefined) holders.set(identityOf({ consumer, topic, member }), { consumer, topic, member });
  }
  return [...holders.values()];
}

/**
 * Judges holders by their member records, as they were read just now: gives the claims whose holder is silent or has ended, to
 * be tried again. A holder whose member record is not there has left, or has been silent for ten leases. A claim without a
 * member, or with a member record that cannot be read, is judged by its own record and the claimer's lease.
 */
export function silentClaims(
  held: readonly HeldClaim[],
  holders: readonly MemberKey[],
  { now, entries }: { readonly now: number; readonly entries: readonly ReadEntry[] },
  looks: Looks,
): HeldClaim[] {
  const silent = new Map<string, boolean | undefined>();
  for (const [at, holder] of holders.entries()) {
    silent.set(identityOf(holder), isSilent(holder, entries[at], now, looks));
  }
  return held.filter(({ entry, record }) => {
    const { consumer, topic, partition, member, epoch, updatedAt } = record;
    const judged = member === undefined ? undefined : silent.get(identityOf({ consumer, topic, member }));
    if (judged !== undefined) return judged;
    // No member is called so: their names begin with a length.
    return looks.isSilent(`partition ${partition}/${identityOf({ consumer, topic, member: "" })}`, {
      version: `${epoch}/${updatedAt.getTime()}`,
      ageMs: now - updatedAt.getTime(),
      leaseMs: entry.ifIdleFor ?? 0,
    });
  });
}

/** Whether a member is silent or has ended; `undefined` if its record cannot be read. */
function isSilent(key: MemberKey, entry: ReadEntry, now: number, looks: Looks): boolean | undefined {
  if (entry === undefined) return true;
  if ("error" in entry) return undefined;
  let stored: StoredMember;
  try {
    stored = parseMemberText(entry.value);
  } catch {
    return undefined;
  }
  return isMemberSilent(key, stored, entry, now, looks);
}

/** Whether a member is silent, or its process has ended (contract 8.2). */
export function isMemberSilent(
  key: MemberKey,
  { lease, process }: StoredMember,
  { version, writtenAt }: { readonly version: string; readonly writtenAt: number },
  now: number,
  looks: Looks,
): boolean {
  // Looked at in any case: what is found twice has to be found once before.
  const isOld = looks.isSilent(identityOf(key), { version, ageMs: now - writtenAt, leaseMs: lease });
  return isOld || (process !== undefined && hasEnded(process));
}

function identityOf({ consumer, topic, member }: MemberKey): string {
  // A name's length before it: no two names run into one.
  return `${consumer.length}/${consumer}${topic.length}/${topic}${member}`;
}
