/**
 * Waits for a promise, unless one of the signals ends the wait earlier: then it rejects with that signal's reason. What was
 * begun goes on. Leaves no listener behind.
 */
export async function untilAborted<Result>(
  promise: Promise<Result>,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<Result> {
  // If nobody waits for it any more, its failure is nobody's.
  promise.catch(() => undefined);
  const ended = Promise.withResolvers<never>();
  const listeners: (readonly [AbortSignal, () => void])[] = [];
  try {
    for (const signal of signals) {
      if (signal === undefined) continue;
      signal.throwIfAborted();
      const onAbort = (): void => ended.reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      listeners.push([signal, onAbort]);
    }
    return await Promise.race([promise, ended.promise]);
  } finally {
    for (const [signal, onAbort] of listeners) signal.removeEventListener("abort", onAbort);
  }
}
