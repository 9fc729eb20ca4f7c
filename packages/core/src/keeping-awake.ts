import { MAX_TIMER_MS } from "./max-timer.ts";

/** Waits, and keeps the process alive for as long: unlike the library's own timers, a caller waits for this one. */
export async function keepingAwake<Result>(waiting: Promise<Result>): Promise<Result> {
  const awake = setInterval(() => undefined, MAX_TIMER_MS);
  try {
    return await waiting;
  } finally {
    clearInterval(awake);
  }
}
