import { validateMetadata } from "../driver/entry-validation.ts";
import { describe, validateKey, validateOffset, validateTtl } from "../driver/validation.ts";
import type { ImportedPosition } from "./imported-position.ts";

const REQUIRED = ["consumer", "topic", "partition", "nextOffset"];
/** Fields that are only for information, in the documents of consumer list and of a plan. */
const INFORMATION = [
  ...["lag", "epoch", "resetFrom", "owner", "claimedAt", "committedAt", "updatedAt", "expiresAt"],
  ...["from", "skipped", "readAgain", "requested", "earliest", "latest", "undoes", "change", "status", "current"],
];
const KNOWN = new Set([...REQUIRED, "metadata", "ttl", ...INFORMATION]);

/**
 * Parses a position from a JSON document: one line of `tidemark consumer export`, or an entry that
 * `consumer list -O json` or `consumer reset -O json` writes. Informational fields are ignored; an unknown field is an
 * error.
 *
 * @throws TypeError or RangeError that says what is wrong with it.
 */
export function parsePosition(document: unknown): ImportedPosition {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new TypeError(`a position is an object with ${REQUIRED.join(", ")}`);
  }
  // A misspelt field that is passed over would be a TTL that is lost.
  const strange = Object.keys(document).find((field) => !KNOWN.has(field));
  if (strange !== undefined) throw new TypeError(`a position has no field ${JSON.stringify(strange)}`);
  const { nextOffset, metadata, ttl } = document as Record<string, unknown>;
  if (nextOffset === undefined) throw new TypeError("nextOffset is missing");
  validateMetadata(metadata);
  validateTtl(ttl);
  return { ...validateKey(document), nextOffset: offsetOf(nextOffset), metadata, ttl };
}

function offsetOf(value: unknown): bigint {
  if (typeof value === "number") {
    // Beyond this JSON's reader has rounded it already.
    if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
    throw new RangeError("nextOffset must be a whole number of at least 0; from 2^53 on write it as a string");
  }
  if (typeof value !== "string" || !/^\d{1,100}$/.test(value)) {
    const shown = describe(value);
    throw new TypeError(
      `nextOffset must be a decimal string, not ${shown.length <= 40 ? shown : `${shown.slice(0, 40)}…`}`,
    );
  }
  const offset = BigInt(value);
  validateOffset("nextOffset", offset);
  return offset;
}
