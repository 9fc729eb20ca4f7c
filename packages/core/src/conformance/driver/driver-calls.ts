import { AssertionError } from "node:assert";
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";

import type {
  Change,
  ChangeAnswer,
  DriverKey,
  ListFilter,
  ListPage,
  ReadAnswer,
  ReadEntry,
  StoredEntry,
} from "../../driver/driver.ts";
import type { OffsetKey } from "../../key.ts";
import type { MemberKey } from "../../member.ts";
import type { DriverVerb } from "./driver-case.ts";
import type { AnyDriver } from "./driver-context.ts";

/** How much of a value a message shows. */
const SHOWN_LENGTH = 100;

/** A position's key, of consumer "c1", topic "orders", partition 0 by default. */
export function positionKey(parts: Partial<OffsetKey> = {}): OffsetKey {
  return { consumer: "c1", topic: "orders", partition: 0, ...parts };
}

/** A member's key, of consumer "c1", topic "orders", member "m1" by default. */
export function memberKey(parts: Partial<MemberKey> = {}): MemberKey {
  return { consumer: "c1", topic: "orders", member: "m1", ...parts };
}

/** A version as core makes them. */
export function newVersion(): string {
  return randomBytes(9).toString("base64url");
}

/** A key as text: equal for equal keys, and for no others. */
export function identityOf(key: DriverKey): string {
  return "partition" in key
    ? JSON.stringify(["position", key.consumer, key.topic, key.partition])
    : JSON.stringify(["member", key.consumer, key.topic, key.member]);
}

/** Fails a case, and says which verb is wrong. */
export function wrong(verb: DriverVerb, what: string): never {
  throw new AssertionError({ message: `${verb} is wrong: ${what}` });
}

/** Fails a case unless something is so, and says which verb is wrong. */
export function mustBe(verb: DriverVerb, isSo: boolean, what: string): asserts isSo {
  if (!isSo) wrong(verb, what);
}

/** Reads, and checks that there is one answer for each key, and a time. */
export async function read(driver: AnyDriver, keys: readonly DriverKey[], transaction?: unknown): Promise<ReadAnswer> {
  const answer = await driver.read(keys, { signal: never(), transaction });
  mustBe("read", answer.entries.length === keys.length, `${answer.entries.length} answers to ${keys.length} keys`);
  mustBe("read", isTime(answer.now), `now is ${answer.now}, and not a time in milliseconds`);
  return answer;
}

/** Reads one key, which must be readable. */
export async function readOne(
  driver: AnyDriver,
  key: DriverKey,
  transaction?: unknown,
): Promise<StoredEntry | undefined> {
  const { entries } = await read(driver, [key], transaction);
  return readable("read", entries[0]);
}

/** What a write came to, with one answer for each change. */
export interface Written {
  readonly answers: readonly ChangeAnswer[];
  readonly writtenAt: number | undefined;
}

/** Writes, and checks that there is one answer for each change. */
export async function write(
  driver: AnyDriver,
  changes: readonly Change[],
  more: { readonly timed?: boolean; readonly transaction?: unknown } = {},
): Promise<Written> {
  const { changes: given, writtenAt } = await driver.write(changes, { signal: never(), ...more });
  const answers = given ?? changes.map(() => "written" as const);
  mustBe("write", answers.length === changes.length, `${answers.length} answers to ${changes.length} changes`);
  // What lies in several places may have several times.
  const isInOne = changes.length === 1 || new Set(changes.map(({ key }) => placeOf(key))).size === 1;
  if (more.timed === true && isInOne && answers.includes("written")) {
    mustBe("write", writtenAt !== undefined && isTime(writtenAt), `a timed write was answered at ${String(writtenAt)}`);
  }
  return { answers, writtenAt };
}

/** What has one time when it is written together: the positions of a consumer on a topic, and each member. */
export function placeOf(key: DriverKey): string {
  return "partition" in key ? identityOf({ ...key, partition: 0 }) : identityOf(key);
}

/** A change that puts a value where it may: by default a new one, without a condition, forever. */
export function change(key: DriverKey, parts: Partial<Change> = {}): Change {
  return { key, expected: "any", value: "a value", version: newVersion(), reclaimAfter: undefined, ...parts };
}

/** Writes one change and gives its answer. */
export async function writeOne(driver: AnyDriver, one: Change): Promise<ChangeAnswer> {
  const { answers } = await write(driver, [one]);
  return answers[0] as ChangeAnswer;
}

/** A conflict in so many attempts is a fault: an entry that is locked for a moment may be a conflict, too (contract 4.2b). */
const ATTEMPTS = 5;

/** Writes changes that nothing is in the way of, as many at once as the driver takes. */
export async function put(driver: AnyDriver, changes: readonly Change[]): Promise<void> {
  const { maxBatch } = driver.capabilities;
  for (let from = 0; from < changes.length; from += maxBatch) {
    let part = changes.slice(from, from + maxBatch);
    for (let attempt = 1; part.length > 0; attempt += 1) {
      const { answers } = await write(driver, part);
      const refused = answers.find((answer) => answer !== "written");
      part = part.filter((_, at) => answers[at] !== "written");
      // One that failed may have been written: sent again, it would be in its own way.
      const isRetried = attempt < ATTEMPTS && answers.every((answer) => typeof answer === "string");
      if (refused === undefined || isRetried) continue;
      wrong("write", `${inspect(part[0]?.key)} was answered with ${inspect(refused)}; nothing was in its way`);
    }
  }
}

/** The pages of a listing, to the end. */
export async function pages(driver: AnyDriver, filter: ListFilter): Promise<ListPage[]> {
  const all: ListPage[] = [];
  for await (const page of driver.list(filter, { signal: never() })) {
    mustBe("list", isTime(page.now), `now of a page is ${page.now}, and not a time in milliseconds`);
    all.push(page);
  }
  return all;
}

/** All entries of a listing, by their keys; none may come twice. */
export async function listed(driver: AnyDriver, filter: ListFilter): Promise<Map<string, ReadEntry>> {
  const entries = new Map<string, ReadEntry>();
  for (const { key, entry } of (await pages(driver, filter)).flatMap((page) => page.entries)) {
    const identity = identityOf(key);
    mustBe("list", !entries.has(identity), `${identity} is listed twice`);
    entries.set(identity, entry);
  }
  return entries;
}

/** Expects a key to have an entry, or none, by `read` and by `list`: where they differ it says which of the two is wrong. */
export async function expectStored(
  driver: AnyDriver,
  key: DriverKey,
  expected: Pick<StoredEntry, "version" | "value"> | undefined,
  after: string,
): Promise<void> {
  const { consumer, topic } = key;
  const kind = "partition" in key ? "position" : "member";
  const byRead = await readOne(driver, key);
  const entries = await listed(driver, { kind, consumer, topic });
  const byList = readable("list", entries.get(identityOf(key)));
  const isRight = (seen: StoredEntry | undefined): boolean =>
    seen?.version === expected?.version && seen?.value === expected?.value;
  if (isRight(byRead) && isRight(byList)) {
    mustBe(
      "list",
      byList?.writtenAt === byRead?.writtenAt,
      `it shows another writtenAt than read does, after ${after}`,
    );
    return;
  }
  const verb = isRight(byRead) ? "list" : isRight(byList) ? "read" : "write";
  const seen = verb === "list" ? byList : byRead;
  const where = `${identityOf(key)}${difference(seen?.value, expected?.value)}`;
  wrong(verb, `after ${after} there is ${shown(seen)}, and should be ${shown(expected)} (${where})`);
}

/** The entry, if it can be read. */
export function readable(verb: DriverVerb, entry: ReadEntry): StoredEntry | undefined {
  if (entry === undefined) return undefined;
  if ("error" in entry) wrong(verb, `an entry of its own cannot be read: ${String(entry.error)}`);
  mustBe(verb, isTime(entry.writtenAt), `writtenAt is ${entry.writtenAt}, and not a time in milliseconds`);
  return entry;
}

/** A signal that is never aborted. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** Where two values differ, if they are too long to show that. */
function difference(seen: string | undefined, expected: string | undefined): string {
  if (seen === undefined || expected === undefined || seen === expected) return "";
  if (Math.max(seen.length, expected.length) <= SHOWN_LENGTH) return "";
  let at = 0;
  while (seen[at] === expected[at]) at += 1;
  return `; the values differ at character ${at}, of ${seen.length} and ${expected.length}`;
}

function shown(entry: Pick<StoredEntry, "version" | "value"> | undefined): string {
  if (entry === undefined) return "nothing";
  return inspect(
    { version: entry.version, value: entry.value },
    { breakLength: Infinity, maxStringLength: SHOWN_LENGTH },
  );
}

function isTime(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
