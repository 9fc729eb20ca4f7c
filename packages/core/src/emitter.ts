/**
 * Makes a listener safe to call from the middle of a write: what it throws surfaces as an uncaught exception, as with any
 * event listener, and never changes what the caller is doing.
 */
export function emitter<Event>(listener: ((event: Event) => void) | undefined): (event: Event) => void {
  if (listener === undefined) return () => undefined;
  if (typeof listener !== "function") throw new TypeError("onEvent must be a function");
  return (event) => {
    try {
      listener(event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
