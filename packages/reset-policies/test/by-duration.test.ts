import { byDuration } from "@tidemark/reset-policies";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { contextOf } from "./context.ts";

const now = Date.UTC(2026, 0, 15);
const hour = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ now, toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const ago = (duration: string) => now - byDuration(duration).timestamp(contextOf());

test.each([
  ["PT1H", hour],
  ["PT90M", 1.5 * hour],
  ["PT30S", 30_000],
  ["P7D", 7 * 24 * hour],
  ["P1DT12H", 36 * hour],
  ["P1W", 7 * 24 * hour],
  ["P1W1DT1H1M1S", 8 * 24 * hour + hour + 60_000 + 1000],
  ["PT0.5S", 500],
  ["PT0,25S", 250],
  ["PT1.123456789S", 1123],
  ["pt1h", hour],
  ["P0DT1H", hour],
])("%s counts %d milliseconds back", (duration, milliseconds) => {
  expect(ago(duration)).toBe(milliseconds);
});

test("counts from the moment when it is asked, not from when it was made", () => {
  const policy = byDuration("PT1H");
  vi.setSystemTime(now + 5 * hour);
  expect(policy.timestamp(contextOf())).toBe(now + 4 * hour);
});

test("a duration longer than time itself asks for the epoch, never for a command", () => {
  expect(byDuration("P1000000D").timestamp(contextOf())).toBe(0);
});

test("is named as it was given", () => {
  expect(byDuration("P1DT12H").name).toBe("by_duration:P1DT12H");
});

describe("refuses", () => {
  test.each([
    "",
    "P",
    "PT",
    "1H",
    "PT1",
    "P1H",
    "PT1.5H",
    "P1.5D",
    "PT1H ",
    " PT1H",
    "PT1S1H",
    "P1DT",
    "3600",
    "PT1.S",
  ])("%j, which is no duration", (given) => {
    expect(() => byDuration(given)).toThrow(/is not an ISO 8601 duration/);
    expect(() => byDuration(given)).toThrow(TypeError);
  });
  test.each(["P1Y", "P2M", "P1Y2M3DT4H", "P1MT1M"])("%j, which has years or months", (given) => {
    expect(() => byDuration(given)).toThrow(/years or months/);
    expect(() => byDuration(given)).toThrow(TypeError);
  });
  test.each(["-PT1H", "PT-1H", "P-1D"])("%j, which is negative", (given) => {
    expect(() => byDuration(given)).toThrow(/is negative/);
    expect(() => byDuration(given)).toThrow(TypeError);
  });
  test.each(["PT0S", "P0D", "PT0.0001S"])("%j, which is no time at all", (given) => {
    expect(() => byDuration(given)).toThrow(/shorter than a millisecond/);
    expect(() => byDuration(given)).toThrow(TypeError);
  });
  test("what is too long to count", () => {
    expect(() => byDuration("P99999999999999999D")).toThrow(/too long/);
  });
  test.each([undefined, null, 3600, {}])("%s, which is no string", (given) => {
    expect(() => byDuration(given as string)).toThrow(TypeError);
  });
});
