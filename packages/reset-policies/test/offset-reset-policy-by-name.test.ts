import { earliest, lastOffset, latest, nearest, none } from "@tidemark/reset-policies";
import { offsetResetPolicyByName, offsetResetPolicyNames } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";

test("finds the plain policies", () => {
  const found = ["earliest", "latest", "last-offset", "nearest", "none"].map((name) => offsetResetPolicyByName(name));
  expect(found).toEqual([earliest(), latest(), lastOffset(), nearest(), none()]);
});

test("every name that it tells is one, and the policy's own", () => {
  for (const name of offsetResetPolicyNames) {
    expect(offsetResetPolicyByName(name)?.name.replace(".000Z", "Z")).toBe(name);
  }
});

test.each([
  ["at_timestamp:2026-01-01T00:00:00Z", Date.UTC(2026, 0, 1)],
  ["at_timestamp:2026-01-01T00:00Z", Date.UTC(2026, 0, 1)],
  ["at_timestamp:2026-01-01", Date.UTC(2026, 0, 1)],
  ["at_timestamp:2026-01-01T00:00:00.250+02:00", Date.UTC(2025, 11, 31, 22, 0, 0, 250)],
  ["at_timestamp:2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
])("%s reads its moment", (name, timestamp) => {
  expect(offsetResetPolicyByName(name)?.timestamp(contextOf())).toBe(timestamp);
});

test("by_duration: reads its duration", () => {
  const before = Date.now();
  const timestamp = offsetResetPolicyByName("by_duration:PT1H")?.timestamp(contextOf());
  expect(timestamp).toBeGreaterThanOrEqual(before - 3_600_000);
  expect(timestamp).toBeLessThanOrEqual(Date.now() - 3_600_000);
});

test.each(["", "Earliest", "lastOffset", "constructor", "__proto__", "erliest", "unknown:PT1H"])(
  "knows no %j",
  (name) => {
    expect(offsetResetPolicyByName(name)).toBeUndefined();
  },
);

test.each([
  "by_duration",
  "by_duration:",
  "by_duration:1 hour",
  "by_duration:P1Y",
  "at_timestamp",
  "at_timestamp:",
  "at_timestamp:yesterday",
  "at_timestamp:1",
  "at_timestamp:2026-01-01T00:00:00",
  "at_timestamp:2026-02-30",
  "at_timestamp:2026-02-30T00:00:00Z",
  "at_timestamp:2026-13-01",
  "at_timestamp:2026-01-01T25:00:00Z",
  "latest:PT1H",
  "none:",
])("%j is a TypeError", (name) => {
  expect(() => offsetResetPolicyByName(name)).toThrow(TypeError);
});
