import { AssertionError } from "node:assert";
import { endsWithin } from "./ends-within.ts";

/** Milliseconds that a runner is to give each case: jest and vitest would give it five seconds. */
export const CASE_TIMEOUT_MS = 300_000;

/**
 * Milliseconds of a running process after which a case has failed: early enough before that for its clients to be closed,
 * also where timers are late, and long enough for a slow server on which many cases run at once.
 */
const CASE_LIMIT_MS = 200_000;

/** A store that never answers must not hold up the cases after this one. */
export async function withinLimit(running: Promise<void>): Promise<void> {
  if (!(await endsWithin(CASE_LIMIT_MS, running))) {
    const message = `the case has not ended within ${CASE_LIMIT_MS / 1_000} s: a call hangs, or is very slow`;
    throw new AssertionError({ message });
  }
  await running;
}
