import { randomBytes } from "node:crypto";
import { type DriverKey, MAX_PARTITION, Pace, UnreadableRecordError } from "@tidemark/core/driver";

/** What an entry is found by within its object: a partition, or a member. */
export type EntryName = number | string;

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

/** What an object holds. */
export interface OffsetsDocument {
  /**
   * The ids of the last writes, newest first. They are random, so that no two objects, and no two ETags, are the same; and a
   * write of which it is not known whether it arrived is found there.
   */
  readonly writes: readonly string[];
  readonly entries: Entries;
}

/** The object was written by a release that knows more. */
export class NewerDocumentError extends Error {
  override readonly name = "NewerDocumentError";
}

const FORMAT = "tidemark-offsets";
const VERSION = 1;
/** How many writes an object remembers. */
const REMEMBERED_WRITES = 8;
/** So many characters are made bytes at a time. */
const CHUNK_LENGTH = 256 * 1024;
const NAME = /^\{"(?:partition":(?<partition>\d{1,10})|member":(?<member>"(?:[^"\\]|\\.)*")),/su;
const REST =
  /"version":"(?<version>[\w-]+)",(?:"writtenAt":(?<writtenAt>\d{1,15}),)?(?:"reclaimAfter":(?<reclaimAfter>\d{1,15}),)?"record":(?<record>.*)\}$/suy;

/** What a key's entry is found by. */
export function entryNameOf(key: DriverKey): EntryName {
  return "partition" in key ? key.partition : key.member;
}

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

/** Whether the space of an entry may be taken back at a time. Never that of one which is only being written. */
export function isReclaimable(entry: DocumentEntry | DamagedEntry, now: number): boolean {
  if ("error" in entry || entry.reclaimAfter === undefined || entry.stamp.time === undefined) return false;
  return entry.stamp.time + entry.reclaimAfter <= now;
}

/** An object as it is to be written. */
export interface SerialisedDocument extends OffsetsDocument {
  readonly body: Buffer;
}

/**
 * Writes an object: a line that says what it is, and one for each entry. What an earlier write wrote gets its time; what may
 * be taken back by `now` is left out.
 */
export async function serialise(document: OffsetsDocument, now: number): Promise<SerialisedDocument> {
  const pace = new Pace();
  const entries = new Map<EntryName, DocumentEntry | DamagedEntry>();
  const chunks: Buffer[] = [];
  const writes = [randomBytes(9).toString("base64url"), ...document.writes].slice(0, REMEMBERED_WRITES);
  let text = `${JSON.stringify({ format: FORMAT, version: VERSION, writes })}\n`;
  for (const [name, entry] of document.entries) {
    const rest = pace.step();
    if (rest !== undefined) await rest;
    if (isReclaimable(entry, now)) continue;
    const isEarlier = "stamp" in entry && !entry.isStamped && entry.stamp.time !== undefined;
    const next = isEarlier ? makeEntry(name, entry, entry.stamp) : entry;
    entries.set(name, next);
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
  return { body, writes, entries };
}

/**
 * Reads an object that was written at a time.
 *
 * @throws UnreadableRecordError if the object as a whole is none of ours, and NewerDocumentError if it is of a later release.
 */
export async function parse(text: string, writtenAt: number, objectKey: string): Promise<OffsetsDocument> {
  const object = `the object ${JSON.stringify(objectKey)}`;
  const stamp: Stamp = { time: writtenAt };
  const pace = new Pace();
  const entries = new Map<EntryName, DocumentEntry | DamagedEntry>();
  let end = endOfLine(text, 0);
  const writes = writesIn(text.slice(0, end), object);
  while (end < text.length) {
    const rest = pace.step();
    if (rest !== undefined) await rest;
    const start = end + 1;
    end = endOfLine(text, start);
    if (end === start) continue;
    const line = text.slice(start, end);
    const named = NAME.exec(line);
    const name = nameIn(named?.groups);
    if (name === undefined)
      throw new UnreadableRecordError(`${object} has a line that names no partition and no member`);
    REST.lastIndex = named?.[0].length ?? 0;
    const entry = entryIn(line, REST.exec(line)?.groups, stamp);
    const what = typeof name === "number" ? `partition ${name}` : `member ${JSON.stringify(name)}`;
    entries.set(name, entry ?? { line, error: new UnreadableRecordError(`${what} in ${object} is damaged`) });
  }
  return { writes, entries };
}

function nameIn(groups: Record<string, string> | undefined): EntryName | undefined {
  if (groups === undefined) return undefined;
  const { partition, member = "" } = groups;
  const name = partition === undefined ? valueOf(member) : Number(partition);
  return typeof name === "string" || (typeof name === "number" && name <= MAX_PARTITION) ? name : undefined;
}

function entryIn(line: string, groups: Record<string, string> | undefined, stamp: Stamp): DocumentEntry | undefined {
  if (groups === undefined) return undefined;
  const { version = "", writtenAt, reclaimAfter, record = "" } = groups;
  const value = record.startsWith("{") ? record : valueOf(record);
  if (typeof value !== "string") return undefined;
  const isStamped = writtenAt !== undefined;
  return {
    line,
    version,
    value,
    stamp: isStamped ? { time: Number(writtenAt) } : stamp,
    isStamped,
    reclaimAfter: reclaimAfter === undefined ? undefined : Number(reclaimAfter),
  };
}

function writesIn(line: string, object: string): readonly string[] {
  const header = valueOf(line);
  const fields = (typeof header === "object" && header !== null ? header : {}) as Record<string, unknown>;
  const { format, version, writes } = fields;
  if (format !== FORMAT || !Number.isSafeInteger(version)) {
    throw new UnreadableRecordError(`${object} is not a Tidemark object`);
  }
  if (version !== VERSION) {
    throw new NewerDocumentError(
      `${object} has the version ${String(version)}, and this release reads version ${VERSION}`,
    );
  }
  return Array.isArray(writes) ? writes.filter((write) => typeof write === "string") : [];
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

function valueOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
