/** Waits for a promise unless the signal ends the wait earlier; then rejects with its reason. What was begun continues. */
export async function abortable<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    // Its outcome no longer matters.
    promise.catch(() => undefined);
    throw signal.reason;
  }
  const ended = Promise.withResolvers<never>();
  const onAbort = (): void => ended.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, ended.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
