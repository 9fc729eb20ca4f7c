import type { GroupEntry, MemberEntry, MemberFilter, MemberKey, ProcessIdentity } from "../member.ts";
import {
  MAX_PARTITION,
  validateChoice,
  validateFields,
  validateName,
  validateTtl,
  validateWholeNumber,
} from "./validation.ts";

/** The longest lease that a heartbeat may name, in milliseconds. */
const MAX_LEASE_MS = 24 * 60 * 60 * 1_000;

/** Checks a member's key and gives a copy of it. */
export function validateMemberKey(key: unknown): MemberKey {
  validateFields("a member's key", key, ["consumer", "topic", "member"]);
  const { consumer, topic, member } = key as Partial<MemberKey>;
  validateName("consumer", consumer);
  validateName("topic", topic);
  validateName("member", member);
  return { consumer, topic, member };
}

/** Checks a heartbeat and gives a copy of it. */
export function validateMemberEntry(entry: unknown): MemberEntry {
  validateFields("a heartbeat", entry, ["key", "mode", "lease", "owner", "held", "process", "generation"]);
  const { key, mode, lease, owner, held, process, generation } = entry as Partial<MemberEntry>;
  const checked = validateMemberKey(key);
  validateChoice("mode", mode, ["balanced", "standby", "takeover"]);
  validateWholeNumber("lease", lease, 1, MAX_LEASE_MS);
  validateName("owner", owner);
  validateWholeNumber("held", held, 0, MAX_PARTITION);
  if (generation !== undefined) validateWholeNumber("generation", generation, 0, Number.MAX_SAFE_INTEGER);
  return { key: checked, mode, lease, owner, held, process: process && validateProcess(process), generation };
}

/** Checks which members are wanted. */
export function validateMemberFilter(filter: unknown): MemberFilter {
  validateFields("a filter of members", filter, ["consumer", "topic"]);
  const { consumer, topic } = filter as MemberFilter;
  if (consumer !== undefined) validateName("consumer", consumer);
  if (topic !== undefined) validateName("topic", topic);
  return { ...(consumer !== undefined && { consumer }), ...(topic !== undefined && { topic }) };
}

/** Checks what a group is asked with, and gives a copy of it. */
export function validateGroupEntry(entry: unknown): GroupEntry {
  validateFields("a group", entry, ["consumer", "topic", "partitions", "ttl"]);
  const { consumer, topic, partitions, ttl } = entry as Partial<GroupEntry>;
  validateName("consumer", consumer);
  validateName("topic", topic);
  validateWholeNumber("partitions", partitions, 0, MAX_PARTITION);
  validateTtl(ttl);
  return { consumer, topic, partitions, ttl };
}

function validateProcess(value: unknown): ProcessIdentity {
  validateFields("process", value, ["bootId", "pidNamespace", "pid", "startTime"]);
  const { bootId, pidNamespace, pid, startTime } = value as Partial<ProcessIdentity>;
  validateName("process.bootId", bootId);
  validateName("process.pidNamespace", pidNamespace);
  validateWholeNumber("process.pid", pid, 0, Number.MAX_SAFE_INTEGER);
  validateName("process.startTime", startTime);
  return { bootId, pidNamespace, pid, startTime };
}
