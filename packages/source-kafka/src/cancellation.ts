/** All who wait for one signal, and the one listener that wakes them. */
interface Watch {
  readonly waiting: Set<() => void>;
  readonly listener: () => void;
}

// An event target goes through all of its listeners for each one that is added: a thousand fetches that wait on the same
// signal would spend their time with that.
const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Waits for a promise, unless one of the signals ends the wait earlier: then it rejects with that signal's reason. What was
 * begun continues. Leaves no listener behind.
 */
export function untilAborted<Result>(
  promise: Promise<Result>,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const ends: (() => void)[] = [];
    const end = (): void => {
      for (const stop of ends) stop();
    };
    // Where it is not waited for any more, its failure is not reported.
    promise.then(resolve, reject).finally(end);
    for (const signal of signals) {
      if (signal === undefined) continue;
      const onAbort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      if (signal.aborted) return onAbort();
      ends.push(watch(signal, onAbort));
    }
  });
}

function watch(signal: AbortSignal, onAbort: () => void): () => void {
  let known = watches.get(signal);
  if (known === undefined) {
    const waiting = new Set<() => void>();
    const listener = (): void => {
      watches.delete(signal);
      for (const tell of waiting) tell();
    };
    known = { waiting, listener };
    watches.set(signal, known);
    signal.addEventListener("abort", listener, { once: true });
  }
  const { waiting, listener } = known;
  waiting.add(onAbort);
  return () => {
    if (!waiting.delete(onAbort) || waiting.size > 0) return;
    signal.removeEventListener("abort", listener);
    if (watches.get(signal)?.listener === listener) watches.delete(signal);
  };
}
