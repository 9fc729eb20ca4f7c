/** The call took longer than the store's `timeout`. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

/**
 * Bounds one call of a store: rejects with `DeadlineExceeded` when the time is up and with `signal.reason` when the caller
 * aborts, even if what is called never answers (contract 3.9). Leaves no timer and no listener behind.
 */
export async function withinDeadline<Result>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const ended = Promise.withResolvers<Result>();
  const timer = setTimeout(
    () => {
      const error = new DeadlineExceeded(`no answer within ${Math.max(0, Math.round(timeoutMs))} ms`);
      ended.reject(error);
      controller.abort(error);
    },
    Math.max(0, timeoutMs),
  );
  const onAbort = (): void => {
    ended.reject(signal?.reason);
    controller.abort(signal?.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    call(controller.signal).then(ended.resolve, ended.reject);
    return await ended.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Waits, unless the signal ends it earlier; then rejects with its reason. */
export async function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const waited = Promise.withResolvers<void>();
  const timer = setTimeout(waited.resolve, milliseconds);
  const onAbort = (): void => waited.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await waited.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/** The pause before a retry: doubles from `baseMs` up to `maxMs`, and any part of its upper half, so that clients spread. */
export function backoffMs(attempt: number, baseMs: number, maxMs: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** attempt);
  return full / 2 + Math.random() * (full / 2);
}
