import { expect, test } from "vitest";
import { parseMoment } from "../../src/text/moment.ts";

test.each([
  ["2026-01-31", "2026-01-31T00:00:00.000Z", false],
  ["2026-01-31T08:00", "2026-01-31T08:00:00.000Z", false],
  ["2026-01-31T08:00:30.5", "2026-01-31T08:00:30.500Z", false],
  ["2026-01-31T08:00:30,123456Z", "2026-01-31T08:00:30.123Z", true],
  ["2026-01-31T08:00:00.000+02:00", "2026-01-31T06:00:00.000Z", true],
  ["2026-01-31T08:00:00-0530", "2026-01-31T13:30:00.000Z", true],
  ["2024-02-29", "2024-02-29T00:00:00.000Z", false],
])("%s", (text, iso, hasZone) => {
  const moment = parseMoment(text);
  expect(moment.date.toISOString()).toBe(iso);
  expect(moment.hasZone).toBe(hasZone);
});

test.each([
  "",
  "soon",
  "2026-02-30",
  "2026-13-01",
  "2026-01-31T25:00Z",
  "2026-01-31 08:00",
  "2026-1-1",
  "1769846400000",
])("%j is none", (text) => {
  expect(() => parseMoment(text)).toThrow(RangeError);
});
