import { createHash } from "node:crypto";

/** The last segment of a group's object. Every name is a folder, so that none is both a file and a folder. */
const OBJECT_NAME = "offsets.json";
/** What S3 allows for a whole key, in UTF-8 bytes. */
const MAX_KEY_BYTES = 1024;
/** What file systems, and servers on them, allow for one segment. */
const MAX_SEGMENT_BYTES = 255;
/** Of a long name, the characters in its first segment; the second takes the rest of at most 340. */
const FIRST_CHUNK = 200;
/** The longest encoded consumer or topic: 340 characters of base64url in two marked segments. */
const MAX_NAME_LENGTH = 340 + 2 + 2 + 1;
/** A namespace that is longer than this when encoded is kept as its hash, so that the whole key stays within its limit. */
const MAX_NAMESPACE_LENGTH = 128;
const MAX_PREFIX_BYTES = MAX_KEY_BYTES - 2 * (MAX_NAME_LENGTH + 1) - MAX_NAMESPACE_LENGTH - OBJECT_NAME.length - 2;

/** Which object a position is in: all partitions of one consumer and topic share one. */
export interface GroupName {
  readonly consumer: string;
  readonly topic: string;
}

/**
 * Maps consumers and topics to object keys and back: `PREFIX/NAMESPACE/CONSUMER/TOPIC/offsets.json`.
 *
 * Letters, digits, `-`, `_` and `.` stand for themselves, every other byte is `!XX`, and so is a leading dot. `!` because it
 * needs no escape of its own in S3 keys, file names or (unlike `%`) in proxies that decode once too often. A name that does
 * not fit into a segment becomes base64url in segments marked `!_` and `!-`, which no escape looks like (contract 3.7).
 */
export class ObjectKeys {
  /** What the keys of the namespace's objects begin with, a slash at its end. */
  readonly root: string;

  /** Rejects a prefix that is not one with a `TypeError`. */
  constructor(prefix: string, namespace: string) {
    const folder = checkedPrefix(prefix);
    this.root = `${folder === "" ? "" : `${folder}/`}${encodeNamespace(namespace)}/`;
  }

  /** The key of the object that holds the positions of a consumer on a topic. */
  keyOf({ consumer, topic }: GroupName): string {
    return `${this.consumerFolder(consumer)}${encodeName(topic)}/${OBJECT_NAME}`;
  }

  /** What the keys of all objects of a consumer, and of no other, begin with. */
  consumerFolder(consumer: string): string {
    return `${this.root}${encodeName(consumer)}/`;
  }

  /** A key that no group has, for an object that is made to find out how the server behaves. */
  probeKey(random: string): string {
    // No encoded name begins with a dot.
    return `${this.root}.probe-${random}`;
  }

  /** The group whose object this is; `undefined` for an object that is not under a name of ours. */
  groupOf(key: string): GroupName | undefined {
    if (!key.startsWith(this.root)) return undefined;
    const segments = key.slice(this.root.length).split("/");
    const consumer = decodeName(segments);
    const topic = decodeName(segments);
    if (consumer === undefined || topic === undefined) return undefined;
    // Whatever decodes, but would be written otherwise, is not ours.
    return this.keyOf({ consumer, topic }) === key ? { consumer, topic } : undefined;
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
  let base64 = "";
  let segment = segments.shift();
  while (segment?.startsWith("!_") === true) {
    base64 += segment.slice(2);
    segment = segments.shift();
  }
  if (segment === undefined || segment === "") return undefined;
  if (segment.startsWith("!-")) return decodeUtf8(Buffer.from(base64 + segment.slice(2), "base64url"));
  if (base64 !== "") return undefined;
  const bytes: number[] = [];
  for (let index = 0; index < segment.length; index += 1) {
    if (segment[index] !== "!") {
      bytes.push(segment.charCodeAt(index));
      continue;
    }
    const hex = segment.slice(index + 1, index + 3);
    if (!/^[0-9A-F]{2}$/u.test(hex)) return undefined;
    bytes.push(Number.parseInt(hex, 16));
    index += 2;
  }
  return decodeUtf8(Uint8Array.from(bytes));
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function escape(name: string): string {
  const escaped = name.replaceAll(/[^A-Za-z0-9._-]/gu, (character) =>
    Array.from(Buffer.from(character, "utf8"), (byte) => `!${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(
      "",
    ),
  );
  // ".", ".." and hidden files are more than names on a file system.
  return escaped.startsWith(".") ? `!2E${escaped.slice(1)}` : escaped;
}

/** A namespace is never decoded: of a long one a hash will do. */
function encodeNamespace(namespace: string): string {
  const escaped = escape(namespace);
  if (escaped.length <= MAX_NAMESPACE_LENGTH) return escaped;
  return `!h${createHash("sha256").update(namespace, "utf8").digest("base64url")}`;
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
