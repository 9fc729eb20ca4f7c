import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NoDateError, type ObservedTime, ServerClock } from "../src/server-clock.ts";

const NOON = Date.parse("2026-11-28T12:00:00Z");

/** Has a clock observe one answer that comes after so many milliseconds, with this `Date`. */
async function observed(clock: ServerClock, date: number | undefined, tookMs = 0): Promise<ObservedTime> {
  type Middleware = (next: () => Promise<unknown>) => (input: unknown) => Promise<unknown>;
  let middleware: Middleware | undefined;
  const time = clock.observe({ middlewareStack: { add: (given: Middleware) => (middleware = given) } });
  const headers = date === undefined ? {} : { date: new Date(date).toUTCString() };
  await middleware?.(async () => {
    vi.advanceTimersByTime(tookMs);
    return { response: { headers } };
  })({});
  return time;
}

describe("ServerClock", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("says what has passed: a second before the Date, or before the time of what was found", async () => {
    const time = await observed(new ServerClock(), NOON, 250);
    expect(time.now()).toBe(NOON - 1_000);
    expect(time.now(NOON - 5_000)).toBe(NOON - 1_000);
    expect(time.now(NOON + 1_000)).toBe(NOON);
    // The server may have looked at once, and have written the date when it answered.
    expect(time.slackMs()).toBe(250);
  });

  it("takes for passed what was found before it asked, as far as a Date may lag behind", async () => {
    const clock = new ServerClock();
    const asked = await observed(clock, NOON);
    (await observed(clock, NOON)).now(NOON + 1_000);
    expect(asked.now()).toBe(NOON - 1_000);
    expect((await observed(clock, NOON)).now()).toBe(NOON);
    expect((await observed(clock, NOON - 60_000)).now()).toBe(NOON - 60_000);
  });

  it("has no write earlier than its object where Date lags behind Last-Modified, as on fasthttp's servers", async () => {
    const clock = new ServerClock();
    expect((await observed(clock, NOON)).writtenAt()).toBe(NOON);
    (await observed(clock, NOON)).now(NOON + 1_000);
    expect((await observed(clock, NOON)).writtenAt()).toBe(NOON + 1_000);
    // A clock that was set back is no lag.
    (await observed(clock, NOON)).now(NOON + 3_600_000);
    expect((await observed(clock, NOON)).writtenAt()).toBe(NOON + 1_000);
  });

  it("knows no time without a Date", async () => {
    const time = await observed(new ServerClock(), undefined);
    expect(time.writtenAt()).toBeUndefined();
    expect(() => time.now()).toThrow(NoDateError);
  });
});
