import { InvalidArgumentError } from "commander";
import { parseByteCount } from "../text/byte-count.ts";
import { parseDuration } from "../text/duration.ts";

const LARGEST_PARTITION = 2 ** 31 - 1;
const LONGEST_NAME_BYTES = 255;

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

/** Reads a number of things, at least 1. */
export function parseCount(text: string): number {
  return wholeNumber(text, 1, Number.MAX_SAFE_INTEGER);
}

/** Reads a number of milliseconds, or a duration with a unit. */
export function parseMilliseconds(text: string): number {
  return /^\d+$/.test(text) ? wholeNumber(text, 0, 2 ** 31 - 1) : withInvalidArgument(() => parseDuration(text));
}

/** Reads a time to live; `none` is `null`: it never ends. */
export function parseTtl(text: string): number | null {
  return text === "none" ? null : withInvalidArgument(() => parseDuration(text));
}

/** Reads a number of bytes; `none` is `null`: no limit. */
export function parseByteLimit(text: string): number | null {
  return text === "none" ? null : withInvalidArgument(() => parseByteCount(text));
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
