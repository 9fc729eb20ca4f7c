import { AssertionError } from "node:assert";
/** Milliseconds that a runner is told to give each case: jest and vitest would give it five seconds. */
export const CASE_TIMEOUT_MS = 120_000;

/** Milliseconds after which a case has failed: early enough before that for its clients to be closed. */
const CASE_LIMIT_MS = 100_000;

/** A store that never answers must not hold up the cases after this one. */
export async function withinLimit(running: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const message = `the case has not ended within ${CASE_LIMIT_MS / 1_000} s: a call hangs, or is very slow`;
    timer = setTimeout(() => reject(new AssertionError({ message })), CASE_LIMIT_MS);
  });
  try {
    await Promise.race([running, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
