import type { ClaimEntry, CommitEntry, ExpireEntry, OffsetKey, ResetEntry } from "@tidemark/core";
import {
  type DriverCommitOutcome,
  type DriverExpireOutcome,
  type DriverFailure,
  type DriverResetOutcome,
  fenced,
  toOffsetRecord,
} from "@tidemark/core/driver";
import { decodeRecord, unreadableField } from "./record-encoding.ts";

/** A script's answer that is not 1: what kind it is, and something about it. */
type Refusal = readonly [kind: number, about?: string];

/** The arguments of the script that claims. */
export function claimArgs(entries: readonly ClaimEntry[]): string[] {
  const args = begin(entries);
  for (const { token, owner, ttl } of entries) args.push(token, owner, ttlArg(ttl));
  return args;
}

/** The arguments of the script that commits. */
export function commitArgs(entries: readonly CommitEntry[]): string[] {
  const args = begin(entries);
  for (const { token, nextOffset, metadata } of entries) {
    args.push(token, nextOffset?.toString() ?? "", metadata ?? "");
  }
  // Left out of the steady commit, which the script knows by that.
  if (entries.some(hasOptions)) for (const entry of entries) args.push(commitOptions(entry));
  return args;
}

/** The arguments of the script that resets. */
export function resetArgs(entries: readonly ResetEntry[]): string[] {
  const args = begin(entries);
  for (const { nextOffset, metadata, ttl } of entries) args.push(nextOffset.toString(), metadata ?? "", ttlArg(ttl));
  return args;
}

/** The arguments of the script that changes times to live. */
export function expireArgs(entries: readonly ExpireEntry[]): string[] {
  return [...begin(entries), ...entries.map(({ ttl }) => ttlArg(ttl))];
}

/** What the answer to one commit means. */
export function commitOutcome(redisKey: string, key: OffsetKey, reply: unknown): DriverCommitOutcome {
  if (reply === 1) return { status: "committed" };
  const [kind, about = ""] = reply as Refusal;
  const field = String(key.partition);
  if (kind === 2) return fenced("absent");
  if (kind === 3) return fenced("reset");
  if (kind === 4) return fenced("superseded", about === "" ? undefined : about);
  if (kind === 5) return { status: "behind", record: toOffsetRecord(key, decodeRecord(redisKey, field, about)) };
  return { status: "failed", error: unreadableField(redisKey, field, about) };
}

/** What the answer to one reset means. */
export function resetOutcome(redisKey: string, key: OffsetKey, reply: unknown): DriverResetOutcome {
  return reply === 1 ? { status: "reset" } : unreadable(redisKey, key, reply);
}

/** What the answer to one expire means. */
export function expireOutcome(redisKey: string, key: OffsetKey, reply: unknown): DriverExpireOutcome {
  if (reply === 1) return { status: "set" };
  return (reply as Refusal)[0] === 2 ? { status: "absent" } : unreadable(redisKey, key, reply);
}

function unreadable(redisKey: string, key: OffsetKey, reply: unknown): DriverFailure {
  return { status: "failed", error: unreadableField(redisKey, String(key.partition), (reply as Refusal)[1] ?? "") };
}

function begin(entries: readonly { readonly key: OffsetKey }[]): string[] {
  const args = [String(entries.length)];
  for (const { key } of entries) args.push(String(key.partition));
  return args;
}

function ttlArg(ttl: number | null | undefined): string {
  return ttl === undefined ? "" : ttl === null ? "-" : String(ttl);
}

function hasOptions({ ttl, rewindFrom, recreate, nextToken }: CommitEntry): boolean {
  return ttl !== undefined || rewindFrom !== undefined || recreate === true || nextToken !== undefined;
}

function commitOptions(entry: CommitEntry): string {
  if (!hasOptions(entry)) return "";
  const { ttl, rewindFrom, recreate, nextToken, owner } = entry;
  const size = nextToken === undefined ? "" : Buffer.byteLength(nextToken);
  return `${ttlArg(ttl)};${rewindFrom ?? ""};${recreate === true ? 1 : 0};${size};${nextToken ?? ""}${owner ?? ""}`;
}
