import { createHash } from "node:crypto";
import { type DriverKey, escapeName, unescapeName } from "@tidemark/core/driver";

/** The last segment of an object of positions, and of a group's: in a folder that holds no names of users. */
const POSITIONS_FILE = "offsets.ndjson";
const GROUP_FILE = "group.ndjson";
const MEMBERS_FOLDER = "members/";
/** What S3 allows for a whole key, in UTF-8 bytes. */
const MAX_KEY_BYTES = 1024;
/** What file systems, and servers on them, allow for one segment. */
const MAX_SEGMENT_BYTES = 255;
/** Of a long name, the characters in its first segment; the second takes the rest of at most 340. */
const FIRST_CHUNK = 200;
/** The longest encoded consumer or topic: 340 characters of base64url in two marked segments. */
const MAX_NAME_LENGTH = 340 + 2 + 2 + 1;
/** A namespace or member that is longer than this when encoded is kept as its hash, so that the key stays within its limit. */
const MAX_PLAIN_LENGTH = 64;
const MAX_PREFIX_BYTES = MAX_KEY_BYTES - 2 * (MAX_NAME_LENGTH + 1) - 2 * (MAX_PLAIN_LENGTH + 1) - MEMBERS_FOLDER.length;

/** What one object holds: the positions of a consumer on a topic, or one of its members. */
export type ObjectContent = "positions" | "member";

/** An object that is under a name of ours. */
export interface ObjectName {
  readonly consumer: string;
  readonly topic: string;
  readonly content: ObjectContent;
  /** The member; what stands for it where its name is too long for a key. */
  readonly member?: string;
}

/**
 * Maps the driver's keys to objects, `PREFIX/NAMESPACE/CONSUMER/TOPIC/offsets.ndjson` for positions and
 * `.../members/MEMBER` or `.../group.ndjson` for members, and back.
 *
 * Names are escaped as everywhere, with `!` for `%`: it needs no escape of its own in S3 keys, and no proxy decodes it once
 * too often. A name that does not fit into a segment becomes base64url in segments marked `!_` and `!-`, which no escape
 * looks like (contract 3.7).
 */
export class ObjectKeys {
  /** What the keys of the namespace's objects begin with, a slash at its end. */
  readonly root: string;

  /** Refuses a prefix that is not one with a `TypeError`. */
  constructor(prefix: string, namespace: string) {
    const folder = checkedPrefix(prefix);
    this.root = `${folder === "" ? "" : `${folder}/`}${plainOrHash(namespace)}/`;
  }

  /** The key of the object that holds what is stored under a key of the driver's. */
  keyOf(key: DriverKey): string {
    const folder = this.topicFolder(key.consumer, key.topic);
    if ("partition" in key) return `${folder}${POSITIONS_FILE}`;
    return key.member === "" ? `${folder}${GROUP_FILE}` : `${folder}${MEMBERS_FOLDER}${plainOrHash(key.member)}`;
  }

  /** What the keys of all objects of a consumer, and of no other, begin with. */
  consumerFolder(consumer: string): string {
    return `${this.root}${encodeName(consumer)}/`;
  }

  /** What the keys of all objects of a consumer on a topic, and of no other, begin with. */
  topicFolder(consumer: string, topic: string): string {
    return `${this.consumerFolder(consumer)}${encodeName(topic)}/`;
  }

  /** A key that no object of ours has, for one that is made to find out how the server behaves. */
  probeKey(random: string): string {
    // No encoded name begins with a dot.
    return `${this.root}.probe-${random}`;
  }

  /** What an object holds, by its key; `undefined` for an object that is not under a name of ours. */
  nameOf(objectKey: string): ObjectName | undefined {
    if (!objectKey.startsWith(this.root)) return undefined;
    const segments = objectKey.slice(this.root.length).split("/");
    const consumer = decodeName(segments);
    const topic = decodeName(segments);
    if (consumer === undefined || topic === undefined) return undefined;
    const rest = segments.join("/");
    // A name that decodes, but would be written otherwise, is not ours.
    if (`${this.topicFolder(consumer, topic)}${rest}` !== objectKey) return undefined;
    if (rest === POSITIONS_FILE) return { consumer, topic, content: "positions" };
    if (rest === GROUP_FILE) return { consumer, topic, content: "member", member: "" };
    if (segments.length !== 2 || !rest.startsWith(MEMBERS_FOLDER) || segments[1] === "") return undefined;
    const [, member = ""] = segments;
    return { consumer, topic, content: "member", member: unescape(member) ?? member };
  }
}

function encodeName(name: string): string {
  const escaped = escape(name);
  if (escaped.length <= MAX_SEGMENT_BYTES) return escaped;
  const base64 = Buffer.from(name, "utf8").toString("base64url");
  if (base64.length <= FIRST_CHUNK) return `!-${base64}`;
  return `!_${base64.slice(0, FIRST_CHUNK)}/!-${base64.slice(FIRST_CHUNK)}`;
}

/** Takes the segments of one name from the front. */
function decodeName(segments: string[]): string | undefined {
  const first = segments.shift() ?? "";
  if (first.startsWith("!_")) {
    const second = segments.shift() ?? "";
    return second.startsWith("!-") ? decodeBase64(first.slice(2) + second.slice(2)) : undefined;
  }
  return first.startsWith("!-") ? decodeBase64(first.slice(2)) : unescape(first);
}

function decodeBase64(text: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, "base64url"));
  } catch {
    return undefined;
  }
}

function escape(name: string): string {
  return escapeName(name).replaceAll("%", "!");
}

function unescape(segment: string): string | undefined {
  return segment.includes("%") ? undefined : unescapeName(segment.replaceAll("!", "%"));
}

/** For names that need not be read from a key: a namespace is never, and a member stands in its object too. */
function plainOrHash(name: string): string {
  const escaped = escape(name);
  if (escaped.length <= MAX_PLAIN_LENGTH) return escaped;
  return `!h${createHash("sha256").update(name, "utf8").digest("base64url")}`;
}

function checkedPrefix(prefix: unknown): string {
  if (typeof prefix !== "string") throw new TypeError('prefix must be a string such as "tidemark/production"');
  const folder = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  if (folder === "") {
    if (prefix === "/") throw new TypeError('prefix must not be "/": leave it out for none');
    return "";
  }
  for (const segment of folder.split("/")) {
    if (segment === "" || segment === "." || segment === "..") {
      throw new TypeError(`prefix ${JSON.stringify(prefix)} has an empty, "." or ".." segment`);
    }
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
      throw new TypeError(`prefix has a segment of more than ${MAX_SEGMENT_BYTES} UTF-8 bytes`);
    }
  }
  if (!folder.isWellFormed() || /\p{Cc}/u.test(folder)) {
    throw new TypeError("prefix must not contain control characters or unpaired surrogates");
  }
  if (Buffer.byteLength(folder) > MAX_PREFIX_BYTES) {
    throw new TypeError(`prefix must be at most ${MAX_PREFIX_BYTES} UTF-8 bytes: a key of S3 has ${MAX_KEY_BYTES}`);
  }
  return folder;
}
