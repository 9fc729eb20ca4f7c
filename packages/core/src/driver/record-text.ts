import type { OffsetRange } from "../offset-record.ts";
import { UnreadableRecordError } from "./driver.ts";
import { rangesText } from "./ranges-text.ts";
import { AT_WRITE, type StoredClaim, type StoredOffset, type StoredReset } from "./stored-offset.ts";
import { MAX_OFFSET, MAX_TTL_MS } from "./validation.ts";

/** The version of the form that this release writes and reads (contract 3.20). */
const FORM = 1;

/**
 * A record as text, the same in every backend, so that a person can read it there and a copy to another one is a copy. A
 * time that is `"write"` is the time of the entry's write.
 */
export function recordText(stored: StoredOffset): string {
  const { nextOffset, metadata, mark, acknowledged, resetFrom, ttl, committedAt, notAfter } = stored;
  let text = nextOffset === undefined ? '{"v":1' : `{"v":1,"nextOffset":"${nextOffset}"`;
  // One text and not two put together: this is the way of every commit, and each part of a text is dear.
  if (committedAt === AT_WRITE) text += ',"committedAt":"write"';
  else if (committedAt !== undefined) text += `,"committedAt":${committedAt}`;
  if (metadata !== "") text += `,"metadata":${JSON.stringify(metadata)}`;
  if (mark !== undefined) text += `,"mark":${JSON.stringify(mark)}`;
  if (acknowledged !== undefined) text += `,"acknowledged":${rangesText(acknowledged)}`;
  if (resetFrom !== undefined) text += `,"resetFrom":${resetText(resetFrom)}`;
  if (ttl !== undefined) text += `,"ttl":${ttl}`;
  if (notAfter !== undefined) text += `,"notAfter":${notAfter}`;
  return text + claimText(stored.claim);
}

/** A claim's text, which ends the record's, is the same for every commit under it: made once. */
const claimTexts = new WeakMap<StoredClaim, string>();
let lastClaim: StoredClaim | undefined;
let lastClaimText = "";

function claimText(claim: StoredClaim): string {
  if (claim === lastClaim) return lastClaimText;
  let text = claimTexts.get(claim);
  if (text === undefined) {
    const { epoch, token, owner, member, claimedAt, released } = claim;
    text = `,"epoch":${epoch}`;
    if (token !== undefined) text += `,"token":${JSON.stringify(token)}`;
    if (owner !== undefined) text += `,"owner":${JSON.stringify(owner)}`;
    if (member !== undefined) text += `,"member":${JSON.stringify(member)}`;
    if (claimedAt !== undefined) text += `,"claimedAt":${timeText(claimedAt)}`;
    text += released ? ',"released":true}' : "}";
    claimTexts.set(claim, text);
  }
  lastClaim = claim;
  return (lastClaimText = text);
}

function resetText({ nextOffset, reason, at }: StoredReset): string {
  const from = nextOffset === undefined ? "" : `"nextOffset":"${nextOffset}",`;
  return `{${from}"reason":${JSON.stringify(reason)},"at":${timeText(at)}}`;
}

function timeText(time: number): string {
  return time === AT_WRITE ? '"write"' : String(time);
}

/**
 * Reads a record's text.
 *
 * @throws UnreadableRecordError if it is none, or one of a later release.
 */
export function parseRecordText(value: string, writtenAt: number): StoredOffset {
  let form: unknown;
  try {
    form = JSON.parse(value);
  } catch {
    throw new UnreadableRecordError("it is not JSON");
  }
  if (!isObject(form)) throw new UnreadableRecordError("it is not an object");
  if (form["v"] !== FORM) {
    throw new UnreadableRecordError(
      `its version is ${JSON.stringify(form["v"])}, and this release reads version ${FORM}`,
    );
  }
  return {
    nextOffset: optional(form, "nextOffset", readOffset),
    metadata: optional(form, "metadata", readText) ?? "",
    mark: optional(form, "mark", readText),
    acknowledged: optional(form, "acknowledged", readRanges),
    resetFrom: optional(form, "resetFrom", (reset, name) => {
      if (!isObject(reset)) throw wrong(name);
      const at = required(reset, "at", readTime);
      return {
        nextOffset: optional(reset, "nextOffset", readOffset),
        reason: required(reset, "reason", readText),
        at: at === AT_WRITE ? writtenAt : at,
      };
    }),
    ttl: optional(form, "ttl", wholeNumber(1, MAX_TTL_MS)),
    claim: {
      epoch: required(form, "epoch", wholeNumber(0, Number.MAX_SAFE_INTEGER)),
      token: optional(form, "token", readText),
      owner: optional(form, "owner", readText),
      member: optional(form, "member", readText),
      claimedAt: ofWrite(optional(form, "claimedAt", readTime), writtenAt),
      released: optional(form, "released", readFlag) ?? false,
    },
    committedAt: ofWrite(optional(form, "committedAt", readTime), writtenAt),
    notAfter: optional(form, "notAfter", wholeNumber(1, Number.MAX_SAFE_INTEGER)),
    writtenAt,
  };
}

type Read<Value> = (value: unknown, name: string) => Value;

function optional<Value>(form: Record<string, unknown>, name: string, read: Read<Value>): Value | undefined {
  const value = form[name];
  return value === undefined ? undefined : read(value, name);
}

function required<Value>(form: Record<string, unknown>, name: string, read: Read<Value>): Value {
  return read(form[name], name);
}

function ofWrite(value: number | undefined, writtenAt: number): number | undefined {
  return value === AT_WRITE ? writtenAt : value;
}

function readOffset(value: unknown, name: string): bigint {
  if (typeof value !== "string" || !/^(?:0|[1-9]\d{0,18})$/u.test(value)) throw wrong(name);
  const position = BigInt(value);
  if (position > MAX_OFFSET) throw wrong(name);
  return position;
}

function readRanges(value: unknown, name: string): readonly OffsetRange[] {
  if (!Array.isArray(value)) throw wrong(name);
  return value.map((range: unknown) => {
    if (!Array.isArray(range) || range.length !== 2) throw wrong(name);
    return { from: readOffset(range[0], name), to: readOffset(range[1], name) };
  });
}

function readTime(value: unknown, name: string): number {
  if (value === "write") return AT_WRITE;
  if (typeof value !== "number" || !(value > 0 && value <= 8_640_000_000_000_000)) throw wrong(name);
  return value;
}

function readText(value: unknown, name: string): string {
  if (typeof value !== "string") throw wrong(name);
  return value;
}

function readFlag(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw wrong(name);
  return value;
}

function wholeNumber(lowest: number, highest: number): Read<number> {
  return (value, name) => {
    if (!Number.isSafeInteger(value) || (value as number) < lowest || (value as number) > highest) throw wrong(name);
    return value as number;
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(name: string): UnreadableRecordError {
  return new UnreadableRecordError(`its ${name} is not valid`);
}
