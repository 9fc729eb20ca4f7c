import type { GroupEntry, MemberEntry, ProcessIdentity, SharingMode } from "../member.ts";
import { UnreadableRecordError } from "./driver.ts";
import { MAX_PARTITION } from "./validation.ts";

/** The version of the form that this release writes and reads (contract 3.20). */
const FORM = 1;
const MODES: ReadonlySet<unknown> = new Set<SharingMode>(["balanced", "standby", "takeover"]);

/** What a member's record says. */
export type StoredMember = Omit<MemberEntry, "key">;

/** What a group's record says. */
export type StoredGroup = Pick<GroupEntry, "partitions"> & { readonly ttl: number | undefined };

/** A member's record as text. */
export function memberText({ mode, lease, owner, held, process, generation }: StoredMember): string {
  return JSON.stringify({ v: FORM, mode, lease, owner, held, process, generation });
}

/** A group's record as text. */
export function groupText({ partitions, ttl }: StoredGroup): string {
  return JSON.stringify({ v: FORM, partitions, ttl });
}

/**
 * Reads a member's text.
 *
 * @throws UnreadableRecordError if it is none, or one of a later release.
 */
export function parseMemberText(value: string): StoredMember {
  const { mode, lease, owner, held, process, generation } = parse(value);
  if (!MODES.has(mode)) throw wrong("mode");
  if (!isWhole(lease) || lease === 0) throw wrong("lease");
  if (typeof owner !== "string") throw wrong("owner");
  if (!isWhole(held)) throw wrong("held");
  if (generation !== undefined && !isWhole(generation)) throw wrong("generation");
  const identity = process === undefined ? undefined : whose(process);
  return { mode: mode as SharingMode, lease, owner, held, process: identity, generation };
}

/** Reads a group's text. As {@link parseMemberText}. */
export function parseGroupText(value: string): StoredGroup {
  const { partitions, ttl } = parse(value);
  if (!isWhole(partitions) || partitions > MAX_PARTITION) throw wrong("partitions");
  if (ttl !== undefined && (!isWhole(ttl) || ttl === 0)) throw wrong("ttl");
  return { partitions, ttl };
}

function whose(value: unknown): ProcessIdentity {
  if (typeof value !== "object" || value === null) throw wrong("process");
  const { bootId, pidNamespace, pid, startTime } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  const isOne = typeof bootId === "string" && typeof pidNamespace === "string" && typeof startTime === "string";
  if (!isOne || !isWhole(pid)) throw wrong("process");
  return { bootId, pidNamespace, pid, startTime };
}

function parse(value: string): Record<string, unknown> {
  let form: unknown;
  try {
    form = JSON.parse(value);
  } catch {
    throw new UnreadableRecordError("it is not JSON");
  }
  if (typeof form !== "object" || form === null) throw new UnreadableRecordError("it is not an object");
  const fields = form as Record<string, unknown>;
  if (fields["v"] === FORM) return fields;
  throw new UnreadableRecordError(
    `its version is ${JSON.stringify(fields["v"])}, and this release reads version ${FORM}`,
  );
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function wrong(name: string): UnreadableRecordError {
  return new UnreadableRecordError(`its ${name} is not valid`);
}
