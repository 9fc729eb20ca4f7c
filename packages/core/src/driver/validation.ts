import { inspect } from "node:util";
import type { OffsetKey } from "../key.ts";

/** The most UTF-8 bytes of a consumer's or topic's name, a token, an owner or a namespace (contract 3.7). */
export const MAX_NAME_BYTES = 255;
/** The most UTF-8 bytes of the text committed with a position; Kafka's own limit. */
export const MAX_METADATA_BYTES = 4096;
/** The largest partition number. */
export const MAX_PARTITION = 2 ** 31 - 1;
/** The largest position: positions are int64 (contract 3.8). */
export const MAX_OFFSET = 2n ** 63n - 1n;
/** What Node's timers can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** The longest time to live, a hundred years, in milliseconds. */
export const MAX_TTL_MS = 100 * 365.25 * 24 * 60 * 60 * 1000;

/**
 * Checks a name: 1 to 255 UTF-8 bytes, no unpaired surrogate; otherwise a `TypeError` that says which. It shows no text
 * that it was given: a token is one of the names (contract 3.17).
 */
export function validateName(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string")
    throw new TypeError(`${what} must be a string, not ${value === null ? "null" : typeof value}`);
  // As a rule the entries of a call, and of the next one, have the same names.
  if (value === lastName || value === nameBefore || value === nameBeforeThat) return;
  if (value === "") throw new TypeError(`${what} must not be empty`);
  if (!value.isWellFormed()) {
    throw new TypeError(`${what} has an unpaired surrogate at index ${value.search(/\p{Surrogate}/u)}`);
  }
  // No UTF-16 unit takes more than three bytes.
  const bytes = value.length * 3 <= MAX_NAME_BYTES ? 0 : Buffer.byteLength(value);
  if (bytes > MAX_NAME_BYTES) {
    throw new TypeError(`${what} is ${bytes} bytes long in UTF-8; at most ${MAX_NAME_BYTES} are allowed`);
  }
  nameBeforeThat = nameBefore;
  nameBefore = lastName;
  lastName = value;
}

let lastName: string | undefined;
let nameBefore: string | undefined;
let nameBeforeThat: string | undefined;

/** Checks a whole number between two bounds, both included. `what` names it in the `TypeError` or `RangeError`. */
export function validateWholeNumber(
  what: string,
  value: unknown,
  lowest: number,
  highest: number,
): asserts value is number {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number, not ${describe(value)}`);
  if (!Number.isSafeInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${what} must be a whole number from ${lowest} to ${highest}, not ${value}`);
  }
}

/** Checks a time-out: milliseconds, a whole number that Node's timers can wait. `what` names it in the error. */
export function validateTimeout(what: string, value: unknown): asserts value is number {
  validateWholeNumber(what, value, 1, MAX_TIMEOUT_MS);
}

/** Checks a partition number: an integer from 0 to 2^31 - 1. */
export function validatePartition(value: unknown): asserts value is number {
  validateWholeNumber("partition", value, 0, MAX_PARTITION);
}

/** Checks a position: a bigint, `0 <= n < 2^63`. */
export function validateOffset(what: string, value: unknown): asserts value is bigint {
  if (typeof value !== "bigint") throw new TypeError(`${what} must be a bigint, not ${describe(value)}`);
  if (value < 0n || value > MAX_OFFSET) throw new RangeError(`${what} must be from 0 to 2^63 - 1, not ${value}`);
}

/** Checks a time to live: a positive whole number of milliseconds, at most a hundred years; `null` and `undefined` pass. */
export function validateTtl(value: unknown): asserts value is number | null | undefined {
  if (value === undefined || value === null) return;
  if (typeof value !== "number") throw new TypeError(`ttl must be a number of milliseconds, not ${describe(value)}`);
  if (!Number.isSafeInteger(value) || value <= 0 || value > MAX_TTL_MS) {
    throw new RangeError(
      `ttl must be a whole number of milliseconds from 1 to ${MAX_TTL_MS} (100 years), not ${value}`,
    );
  }
}

/** Checks a key and gives a copy of it, so that the caller's object can change meanwhile. */
export function validateKey(key: unknown): OffsetKey {
  if (typeof key !== "object" || key === null) {
    throw new TypeError(`a key must be an object { consumer, topic, partition }, not ${describe(key)}`);
  }
  const { consumer, topic, partition } = key as Partial<OffsetKey>;
  validateName("consumer", consumer);
  validateName("topic", topic);
  validatePartition(partition);
  return { consumer, topic, partition };
}

/**
 * Checks that options are an object with no names but these: a misspelt one would be ignored in silence.
 *
 * @throws TypeError
 */
export function validateKnownOptions(options: unknown, known: readonly string[]): asserts options is object {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options must be an object, not ${options === null ? "null" : typeof options}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`there is no option ${JSON.stringify(name)}; known are ${known.join(", ")}`);
    }
  }
}

/**
 * Checks that something is an object with no fields but these: a misspelt one would be ignored in silence.
 *
 * @throws TypeError
 */
export function validateFields(what: string, value: unknown, known: readonly string[]): asserts value is object {
  if (typeof value !== "object" || value === null)
    throw new TypeError(`${what} must be an object, not ${describe(value)}`);
  for (const field in value) {
    if (known.includes(field)) continue;
    throw new TypeError(`${what} has no field ${JSON.stringify(field)}; known are ${known.join(", ")}`);
  }
}

/** Checks that a value is one of a few words. */
export function validateChoice<Word extends string>(
  what: string,
  value: unknown,
  choices: readonly Word[],
): asserts value is Word {
  if (typeof value !== "string" || !(choices as readonly string[]).includes(value)) {
    throw new TypeError(`${what} must be one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`);
  }
}

/** Checks that an option is an object with these methods. `kind` says in the `TypeError` what it has to be. */
export function validateMethods(what: string, value: unknown, kind: string, methods: readonly string[]): void {
  const lacking = methods.find(
    (method) =>
      typeof value !== "object" || value === null || typeof (value as Record<string, unknown>)[method] !== "function",
  );
  if (lacking !== undefined) throw new TypeError(`${what} must be ${kind}, not ${describe(value)}`);
}

/** Checks a callback, where there is one. */
export function validateFunction(what: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") {
    throw new TypeError(`${what} must be a function, not ${describe(value)}`);
  }
}

/** Checks a signal, where there is one. */
export function validateSignal(value: unknown): asserts value is AbortSignal | undefined {
  if (value !== undefined) validateMethods("signal", value, "an AbortSignal", ["addEventListener", "throwIfAborted"]);
}

const CALL_OPTIONS = ["signal"];

/**
 * Checks the options of a call: none but these, and a signal that is one.
 *
 * @throws TypeError
 */
export function validateCallOptions(options: unknown, known: readonly string[] = CALL_OPTIONS): void {
  if (options === undefined) return;
  validateKnownOptions(options, known);
  if ("signal" in options) validateSignal(options.signal);
}

/** A value as an error shows it: its kind, and what it is where that is short. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "function") return "a function";
  return `${typeof value} ${inspect(value)}`;
}
