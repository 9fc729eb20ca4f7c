/** Ends when the clock is right again after the last caller. */
let lastTurn = Promise.resolve();

/**
 * Sets this process's wall clock wrong: `Date.now()` and `new Date()` are off by so many milliseconds until what it gives is
 * called. Timers and `performance.now()` go by another clock, and are not. Meanwhile all else in the
 * process sees it too; a second caller waits: of two at once the first that ends would leave the other's clock for good.
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
