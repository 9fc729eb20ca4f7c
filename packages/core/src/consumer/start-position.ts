import { describe, validateOffset } from "../driver/validation.ts";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import { resolveOffsetResetPolicy } from "../reset/resolve-offset-reset-policy.ts";
import type { StartPosition } from "./consumer.ts";

/** Where to begin, checked: policies are loaded, dates are milliseconds. */
export type ResolvedStart =
  | { readonly kind: "policy"; readonly policy: OffsetResetPolicy }
  | { readonly kind: "offset"; readonly offset: bigint }
  | { readonly kind: "timestamp"; readonly timestampMs: number }
  | { readonly kind: "from-beginning" | "from-end"; readonly records: bigint };

/** Checks a start, and loads its policy. */
export async function resolveStart(
  start: StartPosition | undefined,
  resetPolicy: OffsetResetPolicy,
): Promise<ResolvedStart> {
  if (start === undefined) return { kind: "policy", policy: resetPolicy };
  if (typeof start === "bigint") {
    validateOffset("start", start);
    return { kind: "offset", offset: start };
  }
  if (start instanceof Date) {
    const timestampMs = start.getTime();
    if (Number.isNaN(timestampMs)) throw new TypeError("start is an invalid Date");
    // Before 1970 every record is late enough; negative timestamps mean something else to ListOffsets.
    return { kind: "timestamp", timestampMs: Math.max(0, timestampMs) };
  }
  if (typeof start === "object" && start !== null && !("timestamp" in start)) return resolveCount(start);
  if (typeof start !== "string" && (typeof start !== "object" || start === null)) {
    throw new TypeError(`start must be ${START_KINDS}, not ${describe(start)}`);
  }
  return { kind: "policy", policy: await resolveOffsetResetPolicy(start) };
}

const START_KINDS = "a reset policy or its name, a bigint, a Date, { fromBeginning: records } or { fromEnd: records }";

function resolveCount(start: object): ResolvedStart {
  const [name, ...others] = Object.keys(start);
  if (others.length > 0 || (name !== "fromBeginning" && name !== "fromEnd")) {
    throw new TypeError(
      `start must be ${START_KINDS}, not an object with ${Object.keys(start).join(", ") || "no field"}`,
    );
  }
  const records = countOf(name, (start as Record<string, unknown>)[name]);
  return { kind: name === "fromBeginning" ? "from-beginning" : "from-end", records };
}

function countOf(what: string, value: unknown): bigint {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number of records`);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${what} must be a whole number of records from 0, not ${value}`);
  }
  return BigInt(value);
}
