import type { Change, ChangeAnswer } from "@tidemark/core/driver";
import { commonEnds } from "./common-ends.ts";
import { foreignKey } from "./entry-text.ts";
import { fieldOf, type HashName, type HashPart } from "./keys.ts";
import { ANYTHING, CONFLICT, FOREIGN, FOREVER, NOTHING, REFUSED, STEADY } from "./scripts.ts";

/** Redis counts from when a script began, records from within it. */
const RECLAIM_MARGIN_MS = 1_000;

/**
 * The command of a steady write. `undefined`: it is none, because something is created, removed, lives for another time
 * than the rest, or lies in another hash.
 */
export function steadyCommand(changes: readonly Change[], hash: HashName): string[] | undefined {
  const [first] = changes;
  if (first === undefined || first.reclaimAfter === null) return undefined;
  const { reclaimAfter } = first;
  const { consumer, topic } = first.key;
  const [all] = first.expected;
  let isUniform = true;
  for (const { key, expected, value, reclaimAfter: life } of changes) {
    if (expected === "any" || expected.length !== 1 || expected[0] === null || value === undefined) return undefined;
    if (life !== reclaimAfter || key.topic !== topic || key.consumer !== consumer || "member" in key) return undefined;
    if (expected[0] !== all) isUniform = false;
  }
  const life = reclaimAfter === undefined ? "" : String(reclaimAfter + RECLAIM_MARGIN_MS);
  const command = ["EVALSHA", STEADY.sha, "1", hash.redisKey, life, isUniform ? (all as string) : ""];
  if (changes.length === 1) {
    command.push(fieldOf(first.key), first.version + first.value);
    return command;
  }
  // Most of a record is its claim, the same in all that one session has claimed together: it is sent once.
  const version = changes.every((change) => change.version === first.version) ? first.version : "";
  const texts = changes.map((change) => (version === "" ? change.version + change.value : (change.value as string)));
  const { head, tail } = commonEnds(texts);
  command.push(version + head, tail);
  for (const { key } of changes) command.push(fieldOf(key));
  if (!isUniform) for (const { expected } of changes) command.push(expected[0] as string);
  for (const text of texts) command.push(text.slice(head.length, text.length - tail.length));
  return command;
}

/** The arguments of the script that writes anything. */
export function writeArguments(parts: readonly HashPart<Change>[]): string[] {
  const args = [String(parts.length)];
  for (const { hash, items } of parts) {
    args.push(hash.name, String(items.length), lifeOf(items));
    for (const { key } of items) args.push(fieldOf(key));
    for (const { expected } of items) {
      args.push(expected === "any" ? ANYTHING : expected.map((version) => version ?? NOTHING).join(","));
    }
    for (const { value, version } of items) args.push(value === undefined ? "" : version + value);
  }
  return args;
}

/** How long Redis keeps the hash: as long as the longest of what is written into it. */
function lifeOf(changes: readonly Change[]): string {
  const written = changes.filter(({ value }) => value !== undefined);
  const times = written.flatMap(({ reclaimAfter }) => reclaimAfter ?? []);
  if (written.length > 0 && times.length === written.length) return String(Math.max(...times) + RECLAIM_MARGIN_MS);
  // What stays as it is never expires: beside it, nothing may give the hash a time.
  return times.length === 0 && written.every(({ reclaimAfter }) => reclaimAfter === undefined) ? "" : FOREVER;
}

/** What a script's refusal says of each change, or `undefined`: all are written. */
export function refusals(reply: unknown, parts: readonly HashPart<Change>[]): ChangeAnswer[] | undefined {
  if (typeof reply !== "string" || !reply.startsWith(REFUSED)) return undefined;
  const answers: ChangeAnswer[] = [];
  let digit = REFUSED.length;
  for (const { hash, places } of parts) {
    for (const place of places) {
      const said = reply[digit];
      digit += 1;
      answers[place] =
        said === FOREIGN
          ? { status: "failed", error: foreignKey(hash.redisKey) }
          : said === CONFLICT
            ? "conflict"
            : "skipped";
    }
  }
  return answers;
}
