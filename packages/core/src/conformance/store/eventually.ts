import { assert } from "../assert.ts";
/** Milliseconds after which something that must happen "soon" counts as not happening. */
export const EVENTUALLY_DEADLINE_MS = 15_000;

/**
 * Repeats a check until it is true, so that no case sleeps for a guessed time. Fails, naming `what`, after `deadlineMs`
 * (default {@link EVENTUALLY_DEADLINE_MS}). A check that gives an error is not true; its last error is in the message.
 */
export async function eventually(
  what: string,
  check: () => Promise<boolean | Error>,
  deadlineMs: number = EVENTUALLY_DEADLINE_MS,
): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(50, pauseMs * 2)) {
    const result = await check();
    if (result === true) return;
    const why = result === false ? "" : `; the last time: ${String(result)}`;
    assert.ok(performance.now() < endsAt, `not within ${deadlineMs} ms: ${what}${why}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
