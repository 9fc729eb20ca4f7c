import { type DriverKey, MAX_PARTITION, UnreadableRecordError } from "@tidemark/core/driver";
import { Pace } from "./pace.ts";

/** What an entry is found by within its object: a partition, or a member. */
export type EntryName = number | string;

/** What a key's entry is found by. */
export function entryNameOf(key: DriverKey): EntryName {
  return "partition" in key ? key.partition : key.member;
}

/** When one write happened, in milliseconds of the server's clock: known once it is answered, to all that it wrote. */
export interface Stamp {
  time: number | undefined;
}

/** One entry, and the line that it is in the object. */
export interface DocumentEntry {
  readonly line: string;
  readonly version: string;
  readonly value: string;
  readonly stamp: Stamp;
  /** Whether the line has the time. Without one it is the object's own `Last-Modified`. */
  readonly isStamped: boolean;
  /** How long after its write the space may be taken back, in milliseconds; `undefined`: never. */
  readonly reclaimAfter: number | undefined;
}

/** One line that cannot be read, and is carried along as it is. */
export interface DamagedEntry {
  readonly line: string;
  readonly error: UnreadableRecordError;
}

/** What an object holds, by the names of its entries. */
export type Entries = ReadonlyMap<EntryName, DocumentEntry | DamagedEntry>;

/** The object was written by a release that knows more. */
export class NewerDocumentError extends Error {
  override readonly name = "NewerDocumentError";
}

const FORMAT = "tidemark-offsets";
const VERSION = 1;
/** So many characters are made bytes at a time. */
const CHUNK_LENGTH = 256 * 1024;
const LINE =
  /^\{"(?:partition":(?<partition>\d{1,10})|member":(?<member>"(?:[^"\\]|\\.)*")),"version":"(?<version>[\w-]+)",(?:"writtenAt":(?<writtenAt>\d{1,15}),)?(?:"reclaimAfter":(?<reclaimAfter>\d{1,15}),)?"record":(?<record>.*)\}$/su;

/** Makes an entry. Its record stands in the line as JSON where it is JSON, so that people and their tools can read it. */
export function makeEntry(
  name: EntryName,
  { version, value, reclaimAfter }: Pick<DocumentEntry, "version" | "value" | "reclaimAfter">,
  stamp: Stamp,
): DocumentEntry {
  const { time } = stamp;
  let line = typeof name === "number" ? `{"partition":${name}` : `{"member":${JSON.stringify(name)}`;
  line += `,"version":"${version}",`;
  if (time !== undefined) line += `"writtenAt":${time},`;
  if (reclaimAfter !== undefined) line += `"reclaimAfter":${reclaimAfter},`;
  const isObject = value.startsWith("{") && !value.includes("\n");
  line += `"record":${isObject ? value : JSON.stringify(value)}}`;
  return { line, version, value, stamp, isStamped: time !== undefined, reclaimAfter };
}

/** An object as it is to be written. */
export interface SerialisedDocument {
  readonly body: Buffer;
  readonly entries: Entries;
}

/**
 * Writes an object: a line that says what it is, and one for each entry. What an earlier write wrote gets its time; what may
 * be taken back by `now` is left out.
 *
 * @param write Random, so that no two objects, and no two ETags, are the same.
 */
export async function serialise(entries: Entries, now: number, write: string): Promise<SerialisedDocument> {
  const pace = new Pace();
  const kept = new Map<EntryName, DocumentEntry | DamagedEntry>();
  const chunks: Buffer[] = [];
  let text = `${JSON.stringify({ format: FORMAT, version: VERSION, write })}\n`;
  for (const [name, entry] of entries) {
    const rest = pace.step();
    if (rest !== undefined) await rest;
    let next = entry;
    if ("stamp" in entry && entry.stamp.time !== undefined) {
      if (entry.reclaimAfter !== undefined && entry.stamp.time + entry.reclaimAfter <= now) continue;
      if (!entry.isStamped) next = makeEntry(name, entry, entry.stamp);
    }
    kept.set(name, next);
    text += `${next.line}\n`;
    if (text.length < CHUNK_LENGTH) continue;
    chunks.push(Buffer.from(text));
    text = "";
  }
  chunks.push(Buffer.from(text));
  const body = Buffer.allocUnsafe(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    await pace.now();
    at += chunk.copy(body, at);
  }
  return { body, entries: kept };
}

/**
 * Reads the entries of an object that was written at a time.
 *
 * @throws UnreadableRecordError if the object as a whole is none of ours, and NewerDocumentError if it is of a later release.
 */
export async function parse(text: string, writtenAt: number, objectKey: string): Promise<Entries> {
  const object = `the object ${JSON.stringify(objectKey)}`;
  const stamp: Stamp = { time: writtenAt };
  const pace = new Pace();
  const entries = new Map<EntryName, DocumentEntry | DamagedEntry>();
  let end = endOfLine(text, 0);
  checkHeader(text.slice(0, end), object);
  while (end < text.length) {
    const rest = pace.step();
    if (rest !== undefined) await rest;
    const start = end + 1;
    end = endOfLine(text, start);
    if (end === start) continue;
    const line = text.slice(start, end);
    const read = parseLine(line, stamp) ?? parseEdited(line, stamp);
    if (read === undefined) throw new UnreadableRecordError(`${object} has a line that is about nothing known`);
    const { name, entry } = read;
    const before = entries.get(name);
    if (before === undefined && entry !== undefined) {
      entries.set(name, entry);
      continue;
    }
    const what = typeof name === "number" ? `partition ${name}` : `member ${JSON.stringify(name)}`;
    const why = before === undefined ? "cannot be read" : "stands twice";
    const error = new UnreadableRecordError(`${what} in ${object} ${why}`);
    entries.set(name, { line: before === undefined ? line : `${before.line}\n${line}`, error });
  }
  return entries;
}

interface ReadLine {
  readonly name: EntryName;
  /** `undefined`: damaged. */
  readonly entry: DocumentEntry | undefined;
}

/** A line as it is written here. */
function parseLine(line: string, stamp: Stamp): ReadLine | undefined {
  const match = LINE.exec(line)?.groups;
  if (match === undefined) return undefined;
  const { partition, member, version = "", writtenAt, reclaimAfter, record = "" } = match;
  const name = partition === undefined ? textOf(member ?? "") : Number(partition);
  if (name === undefined || (typeof name === "number" && name > MAX_PARTITION)) return undefined;
  const value = record.startsWith("{") ? record : textOf(record);
  if (value === undefined) return { name, entry: undefined };
  const time = numberOf(writtenAt);
  const isStamped = time !== undefined;
  const own = isStamped ? { time } : stamp;
  return { name, entry: { line, version, value, stamp: own, isStamped, reclaimAfter: numberOf(reclaimAfter) } };
}

/** A line that somebody has written anew, in another order or with blanks; or one that is damaged. */
function parseEdited(line: string, stamp: Stamp): ReadLine | undefined {
  const form = objectOf(line);
  if (form === undefined) {
    const partition = numberOf(/^\{"partition":(?<partition>\d{1,10}),/u.exec(line)?.groups?.["partition"]);
    return isWhole(partition, MAX_PARTITION) ? { name: partition, entry: undefined } : undefined;
  }
  const { partition, member, version, writtenAt, reclaimAfter, record } = form;
  const name = typeof member === "string" ? member : isWhole(partition, MAX_PARTITION) ? partition : undefined;
  if (name === undefined) return undefined;
  const isReadable =
    typeof version === "string" &&
    /^[\w-]+$/u.test(version) &&
    (writtenAt === undefined || isWhole(writtenAt)) &&
    (reclaimAfter === undefined || isWhole(reclaimAfter)) &&
    record !== undefined;
  if (!isReadable) return { name, entry: undefined };
  const value = typeof record === "string" ? record : JSON.stringify(record);
  const entry = makeEntry(name, { version, value, reclaimAfter }, { time: writtenAt });
  return { name, entry: writtenAt === undefined ? { ...entry, stamp } : entry };
}

function checkHeader(line: string, object: string): void {
  const header = objectOf(line);
  const version = header?.["version"];
  if (header?.["format"] !== FORMAT || !isWhole(version)) {
    throw new UnreadableRecordError(`${object} does not begin as one of Tidemark's`);
  }
  if (version !== VERSION) {
    throw new NewerDocumentError(`${object} has the version ${version}, and this release reads version ${VERSION}`);
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

function objectOf(json: string): Record<string, unknown> | undefined {
  const value = valueOf(json);
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

function textOf(json: string): string | undefined {
  const value = valueOf(json);
  return typeof value === "string" ? value : undefined;
}

function valueOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function numberOf(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits);
}

function isWhole(value: unknown, highest = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= highest;
}
