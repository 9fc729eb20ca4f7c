/**
 * Runs calls while this process's wall clock is wrong: `Date.now()` and `new Date()` are off by so many milliseconds. Timers
 * and `performance.now()` go by another clock, and are not. Whatever else runs in the process meanwhile sees it too.
 */
export async function withClientClock(skewMs: number, calls: () => Promise<void>): Promise<void> {
  const real = globalThis.Date;
  const now = (): number => real.now() + skewMs;
  globalThis.Date = new Proxy(real, {
    apply: () => new real(now()).toString(),
    construct: (target, given: unknown[], made) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, made) as Date,
    get: (target, name, receiver) => (name === "now" ? now : (Reflect.get(target, name, receiver) as unknown)),
  });
  try {
    await calls();
  } finally {
    globalThis.Date = real;
  }
}
