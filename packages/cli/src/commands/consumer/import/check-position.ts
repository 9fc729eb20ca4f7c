import {
  MAX_METADATA_BYTES,
  MAX_TTL_MS,
  validateName,
  validateOffset,
  validatePartition,
  validateWholeNumber,
} from "@tidemark/core/driver";
import type { ImportedPosition } from "./imported-position.ts";

const REQUIRED = ["consumer", "topic", "partition", "nextOffset"];
/** What only tells something, in the documents of consumer list and of a plan. */
const INFORMATION = [
  ...["lag", "epoch", "resetFrom", "owner", "claimedAt", "committedAt", "updatedAt", "expiresAt"],
  ...["from", "skipped", "readAgain", "requested", "earliest", "latest", "undoes", "change", "status"],
];
const KNOWN = new Set([...REQUIRED, "metadata", "ttl", ...INFORMATION]);

/**
 * Makes a document into a position.
 *
 * @throws TypeError or RangeError that says what is wrong with it.
 */
export function positionOfDocument(document: unknown): ImportedPosition {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new TypeError(`a position is an object with ${REQUIRED.join(", ")}`);
  }
  // A misspelt field that is passed over would be a TTL that is lost.
  const strange = Object.keys(document).find((field) => !KNOWN.has(field));
  if (strange !== undefined) throw new TypeError(`${JSON.stringify(strange)} is no field of a position`);
  const { consumer, topic, partition, nextOffset, metadata, ttl } = document as Record<string, unknown>;
  if (nextOffset === undefined) throw new TypeError("nextOffset is missing");
  checkMetadata(metadata);
  checkTtl(ttl);
  return { ...checkedKey(consumer, topic, partition), nextOffset: offsetOf(nextOffset), metadata, ttl };
}

/**
 * Makes the fields of a line of CSV into a position.
 *
 * @throws TypeError or RangeError that says what is wrong with it.
 */
export function positionOfFields(
  consumer: string,
  [topic, partition = "", offset = ""]: readonly string[],
): ImportedPosition {
  if (/^partition$/i.test(partition))
    throw new TypeError("it holds headings: take that line out, Kafka's CSV has none");
  if (!/^\d{1,10}$/.test(partition)) throw new TypeError(`partition must be a whole number, not ${shown(partition)}`);
  return {
    ...checkedKey(consumer, topic, Number(partition)),
    nextOffset: offsetOf(offset),
    metadata: undefined,
    ttl: undefined,
  };
}

function checkedKey(
  consumer: unknown,
  topic: unknown,
  partition: unknown,
): Pick<ImportedPosition, "consumer" | "topic" | "partition"> {
  validateName("consumer", consumer);
  validateName("topic", topic);
  validatePartition(partition);
  return { consumer, topic, partition };
}

function offsetOf(value: unknown): bigint {
  if (typeof value === "number") {
    // Beyond this JSON's reader has rounded it already.
    if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
    throw new RangeError(`nextOffset must be a whole number from 0 on; from 2^53 on write it as a string`);
  }
  if (typeof value !== "string" || !/^\d{1,100}$/.test(value)) {
    throw new TypeError(`nextOffset must be a decimal string, not ${shown(value)}`);
  }
  const offset = BigInt(value);
  validateOffset("nextOffset", offset);
  return offset;
}

function checkMetadata(value: unknown): asserts value is string | undefined {
  if (value === undefined) return;
  if (typeof value !== "string") throw new TypeError(`metadata must be a string, not ${shown(value)}`);
  if (!value.isWellFormed()) throw new TypeError("metadata has an unpaired surrogate");
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_METADATA_BYTES) {
    throw new RangeError(`metadata is ${bytes} bytes long in UTF-8; at most ${MAX_METADATA_BYTES} are allowed`);
  }
}

function checkTtl(value: unknown): asserts value is number | null | undefined {
  if (value !== undefined && value !== null) validateWholeNumber("ttl", value, 1, MAX_TTL_MS);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}
