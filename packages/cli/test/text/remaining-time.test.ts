import { expect, test } from "vitest";
import { formatRemainingTime } from "../../src/text/remaining-time.ts";

test.each([
  [86_399_999, "23 hr"],
  [86_400_000, "24 hr"],
  [172_799_999, "47 hr"],
  [172_800_000, "2 days"],
  [3_600_000, "1 hr"],
  [3_599_999, "59 min"],
  [1_200_000, "20 min"],
  [59_999, "59 sec"],
  [23_500, "23 sec"],
  [999, "0 sec"],
  [-5000, "0 sec"],
])("%d ms is %s: one unit, rounded down", (milliseconds, text) => {
  expect(formatRemainingTime(milliseconds)).toBe(text);
});
