import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Keeps this process small where it makes much and keeps little: V8 would let what is of no use any more grow to many times
 * what is, before it looks.
 *
 * @returns what to call after each large piece of work; it takes a few milliseconds.
 */
export function keepMemorySmall(): () => void {
  // What is new stays within the megabyte that it begins with.
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  return typeof collect === "function" ? () => void collect() : () => {};
}
