import { atTimestamp } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";

const moment = Date.UTC(2026, 0, 1, 12);

test("asks for a moment, given as a Date or as milliseconds", () => {
  expect(atTimestamp(new Date(moment)).timestamp(contextOf())).toBe(moment);
  expect(atTimestamp(moment).timestamp(contextOf())).toBe(moment);
  expect(atTimestamp(moment).name).toBe("at_timestamp:2026-01-01T12:00:00.000Z");
});

test("is not moved by what the caller does to the Date afterwards", () => {
  const date = new Date(moment);
  const policy = atTimestamp(date);
  date.setTime(0);
  expect(policy.timestamp(contextOf())).toBe(moment);
});

test("a moment before the epoch never becomes one of ListOffsets' commands", () => {
  expect(atTimestamp(-1).timestamp(contextOf())).toBe(0);
  expect(atTimestamp(-2).timestamp(contextOf())).toBe(0);
  expect(atTimestamp(new Date("1950-01-01")).timestamp(contextOf())).toBe(0);
});

test.each([new Date("nonsense"), NaN, Infinity, 8.64e15 + 1, 1.5, "2026-01-01", undefined, null, 5n])(
  "refuses %s",
  (given) => {
    expect(() => atTimestamp(given as Date)).toThrow(TypeError);
  },
);
