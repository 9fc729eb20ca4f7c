import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../src/text/duration.ts";

test.each([
  ["500ms", 500],
  ["90s", 90_000],
  ["20m", 1_200_000],
  ["20min", 1_200_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["2w", 1_209_600_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["PT12H", 43_200_000],
  ["P1DT1H", 90_000_000],
  ["P2W", 1_209_600_000],
  ["PT0.5S", 500],
])("%s is %d ms", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each([
  ["", /write a duration like/],
  ["soon", /write a duration like/],
  ["5", /give the unit too, for example 5s/],
  ["-5s", /cannot be negative/],
  ["0s", /longer than 0/],
  ["0.1ms", /longer than 0/],
  ["101w9999999d", /100 years/],
  ["1e3s", /write a duration like/],
  ["P", /write a duration like/],
  ["PT", /write a duration like/],
  ["P1Y", /write a duration like/],
  ["Infinityd", /write a duration like/],
])("%j is refused", (text, message) => {
  expect(() => parseDuration(text)).toThrow(message);
});

test.each([
  [604_800_000, "7d"],
  [86_400_000, "24h"],
  [129_600_000, "36h"],
  [5_400_000, "90m"],
  [90_000, "90s"],
  [1500, "1500ms"],
])("%d ms is written %s, and reads back the same", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
  expect(parseDuration(text)).toBe(milliseconds);
});
