import type { RecordHeader, RecordInput } from "@tidemark/core";
import { parseMoment } from "../../text/moment.ts";

const FIELDS = ["key", "value", "headers", "timestamp", "topic", "partition", "offset"];
const HEADER_FIELDS = ["name", "value"];
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a record as `consume -O json` writes it. Its topic, partition and offset are ignored: it is written anew.
 *
 * @throws RangeError that says what is wrong with the line.
 */
export function readJsonRecord(line: Uint8Array): RecordInput {
  const document = objectOf(parse(line), "the line", FIELDS);
  if (!("value" in document)) throw new RangeError("value is missing: null makes a tombstone");
  const { key = null, value, headers = [], timestamp } = document;
  if (!Array.isArray(headers)) throw new RangeError("headers must be an array of { name, value }");
  return {
    key: bytesOf(key, "key"),
    value: bytesOf(value, "value"),
    headers: headers.map(headerOf),
    ...(timestamp !== undefined && { timestampMs: timestampOf(timestamp) }),
  };
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(line));
  } catch {
    throw new RangeError("it is not JSON in UTF-8");
  }
}

function objectOf(value: unknown, what: string, fields: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RangeError(`${what} must be an object with ${fields.join(", ")}`);
  }
  const strange = Object.keys(value).find((field) => !fields.includes(field));
  if (strange !== undefined) {
    throw new RangeError(`${what} has ${JSON.stringify(strange)}; known are ${fields.join(", ")}`);
  }
  return value as Record<string, unknown>;
}

function headerOf(header: unknown, index: number): RecordHeader {
  const { name, value } = objectOf(header, `header ${index}`, HEADER_FIELDS);
  if (typeof name !== "string") throw new RangeError(`header ${index} must have a name`);
  return { name, value: bytesOf(value ?? "", `the value of header ${index}`) ?? new Uint8Array() };
}

/** A text, or `{ base64 }` for bytes that are none. */
function bytesOf(value: unknown, what: string): Uint8Array | null {
  if (value === null) return null;
  if (typeof value === "string") return Buffer.from(value);
  const base64 = typeof value === "object" && "base64" in value ? value.base64 : undefined;
  if (typeof base64 !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new RangeError(`${what} must be a string, null, or { "base64": "…" }`);
  }
  return Buffer.from(base64, "base64");
}

function timestampOf(timestamp: unknown): number {
  const timestampMs = readTimestamp(timestamp);
  if (timestampMs < 0) throw new RangeError(`timestamp ${JSON.stringify(timestamp)} is before 1970`);
  return timestampMs;
}

/** As `consume` writes it: ISO 8601, also of years that people do not write, or milliseconds where those say nothing that has a date. */
function readTimestamp(timestamp: unknown): number {
  const text = String(timestamp);
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  const date = new Date(text);
  if (!Number.isNaN(date.getTime()) && date.toISOString() === text) return date.getTime();
  try {
    return parseMoment(text).date.getTime();
  } catch (error) {
    throw new RangeError(`timestamp ${error instanceof Error ? error.message : text}`, { cause: error });
  }
}
