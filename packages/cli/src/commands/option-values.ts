import { InvalidArgumentError } from "commander";
import { parseByteCount } from "../text/byte-count.ts";
import { parseDuration } from "../text/duration.ts";

const LARGEST_PARTITION = 2 ** 31 - 1;
const LARGEST_COUNT = 1_000_000_000_000;
const LONGEST_NAME_BYTES = 255;
const LARGEST_OFFSET = 2n ** 63n - 1n;
const LONGEST_OFFSET_TEXT = 100;

/** Reads a partition's number. */
export function parsePartition(text: string): number {
  return wholeNumber(text, 0, LARGEST_PARTITION);
}

/** Adds a partition's number to those before it, for an option that repeats. */
export function collectPartition(text: string, previous: readonly number[] | undefined): number[] {
  return [...(previous ?? []), parsePartition(text)];
}

/** Adds a text to those before it, for an option that repeats. */
export function collectText(text: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), text];
}

/** Adds a name to those before it, for an option that repeats. */
export function collectName(text: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), parseName(text)];
}

/**
 * Reads an option that may not repeat, where other commands let it: the last one would win, and what was asked with the
 * others would not be done, without a word.
 */
export function once<Value>(parse: (text: string) => Value): (text: string, previous: Value | undefined) => Value {
  return (text, previous) => {
    if (previous === undefined) return parse(text);
    throw new InvalidArgumentError("It was given twice: this command takes one. Run it again for each further value.");
  };
}

/** Reads an offset. */
export function parseOffset(text: string): bigint {
  return int64(text, /^\d+$/, "It must be a whole number from 0 to 2^63 - 1.");
}

/** Reads a number of offsets, on or back. */
export function parseShift(text: string): bigint {
  return int64(text, /^[+-]?\d+$/, "It must be a whole number, at most 2^63 - 1 on or back: 10 or -10.");
}

function int64(text: string, form: RegExp, message: string): bigint {
  // Longer ones are not even read: that takes time with the square of their length.
  const number = form.test(text) && text.length <= LONGEST_OFFSET_TEXT ? BigInt(text) : undefined;
  if (number === undefined || number > LARGEST_OFFSET || -number > LARGEST_OFFSET)
    throw new InvalidArgumentError(message);
  return number;
}

/** Reads a duration. */
export function parsePositiveDuration(text: string): number {
  return withInvalidArgument(() => parseDuration(text));
}

/** Reads a number of things, at least 1. */
export function parseCount(text: string): number {
  return wholeNumber(text, 1, LARGEST_COUNT);
}

/** Reads a number of milliseconds, or a duration with a unit. */
export function parseMilliseconds(text: string): number {
  return /^\d+$/.test(text) ? wholeNumber(text, 0, 2 ** 31 - 1) : withInvalidArgument(() => parseDuration(text));
}

/** A limit, or the word that removes it. Not `null`: commander takes that for an option without a value. */
export type LimitOption = number | "none";

/** A limit as the log and the store take it: `null` removes it. */
export function limitOf(option: LimitOption): number | null {
  return option === "none" ? null : option;
}

/** Reads a time to live, or `none`. */
export function parseTtl(text: string): LimitOption {
  return text === "none" ? text : withInvalidArgument(() => parseDuration(text));
}

/** Reads a number of bytes, or `none`. */
export function parseByteLimit(text: string): LimitOption {
  return text === "none" ? text : withInvalidArgument(() => parseByteCount(text));
}

/** Reads a consumer's or topic's name: 1 to 255 bytes. Said before anything is opened, as wrong usage. */
export function parseName(text: string): string {
  if (text === "") throw new InvalidArgumentError("A name must not be empty.");
  if (!text.isWellFormed()) throw new InvalidArgumentError("A name must not have an unpaired surrogate.");
  const bytes = Buffer.byteLength(text);
  if (bytes > LONGEST_NAME_BYTES) {
    throw new InvalidArgumentError(`A name has at most ${LONGEST_NAME_BYTES} bytes in UTF-8; this one has ${bytes}.`);
  }
  return text;
}

function wholeNumber(text: string, least: number, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(number >= least && number <= most)) {
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  }
  return number;
}

function withInvalidArgument<Value>(parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(`${message.charAt(0).toUpperCase()}${message.slice(1)}.`);
  }
}
