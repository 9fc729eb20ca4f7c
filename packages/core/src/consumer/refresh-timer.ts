import { MAX_TIMER_MS } from "../max-timer.ts";

/** Does something every so often, never twice at once, without keeping the process alive. Gives the function that ends it. */
export function refreshEvery(
  intervalMs: number,
  refresh: () => Promise<void>,
  onError: (error: Error) => void,
): () => void {
  let isRefreshing = false;
  const timer = setInterval(
    () => {
      if (isRefreshing) return;
      isRefreshing = true;
      refresh()
        .catch((error: unknown) => onError(error instanceof Error ? error : new Error(String(error), { cause: error })))
        .finally(() => {
          isRefreshing = false;
        });
    },
    Math.min(MAX_TIMER_MS, intervalMs),
  );
  timer.unref();
  return () => clearInterval(timer);
}
