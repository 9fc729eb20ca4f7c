/** Ends when the clock is right again for the last that asked. */
let lastTurn = Promise.resolve();

/**
 * Sets this process's wall clock wrong: `Date.now()` and `new Date()` are off by so many milliseconds until what it gives is
 * called. Timers and `performance.now()` go by another clock, and are not. All else in the process sees it
 * too; another that wants to set it waits: of two concurrent ones the first that ends would leave the other's for good.
 */
export async function setClientClock(skewMs: number): Promise<() => void> {
  const before = lastTurn;
  const { promise, resolve } = Promise.withResolvers<void>();
  lastTurn = promise;
  await before;
  const real = globalThis.Date;
  const now = (): number => real.now() + skewMs;
  globalThis.Date = new Proxy(real, {
    apply: () => new real(now()).toString(),
    construct: (target, given: unknown[], made) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, made) as Date,
    get: (target, name, receiver) => (name === "now" ? now : (Reflect.get(target, name, receiver) as unknown)),
  });
  return () => {
    globalThis.Date = real;
    resolve();
  };
}
