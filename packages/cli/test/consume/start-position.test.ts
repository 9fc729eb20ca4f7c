import { expect, test } from "vitest";
import { parseStartPosition } from "../../src/commands/consume/start-position.ts";

test.each([
  ["42", 42n],
  ["9223372036854775807", 2n ** 63n - 1n],
  ["beginning", { fromBeginning: 0 }],
  ["beginning+10", { fromBeginning: 10 }],
  ["end", { fromEnd: 0 }],
  ["end-10", { fromEnd: 10 }],
  ["2026-01-31T08:00:00Z", new Date("2026-01-31T08:00:00Z")],
  ["2026-01-31", new Date("2026-01-31T00:00:00Z")],
  ["./policy.js", "./policy.js"],
  ["@acme/policy", "@acme/policy"],
])("%s", async (text, position) => {
  expect(await parseStartPosition(text)).toEqual(position);
});

test("a policy's name", async () => {
  expect(await parseStartPosition("latest")).toMatchObject({ name: "latest" });
});
