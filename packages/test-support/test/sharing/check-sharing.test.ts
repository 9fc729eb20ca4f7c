import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkSharing } from "../../src/sharing-campaign/check-sharing.ts";

const LEASE_MS = 1_000;

/** What a member writes down: that it is there, ten times a second, and what else happens. */
function alive(from: number, to: number): string[] {
  return Array.from({ length: (to - from) / 100 }, (_, index) => `alive ${from + index * 100}`);
}

/** Two members, the reader of what is left at the end, and one partition with two records. */
function violationsOf(...journals: readonly (readonly string[])[]): {
  violations: readonly string[];
  standstills: number;
} {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-check-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const lives = journals.map((lines, index) => {
    const journalFile = join(folder, String(index));
    writeFileSync(journalFile, lines.join("\n"));
    return { journalFile, disturbedAt: Number.POSITIVE_INFINITY, thawedAt: [] };
  });
  return checkSharing(lives, { produced: [2], unflushedMs: 200, leaseMs: LEASE_MS });
}

/** One that works on both records, and loses the partition at 10,000, with the second in hand. */
function robbed(...before: readonly string[]): string[] {
  return [
    ...["assigned 100 0", "begin 110 0 0", "end 111 0 0", ...before],
    ...["begin 9999 0 1", "revoked 10000 0 superseded", "end 10010 0 1", "begin 10020 0 5", "end 10021 0 5"],
  ];
}

const robber = ["assigned 10001 0", "begin 10002 0 1", "end 10003 0 1"];

test("a member to which nothing happened is robbed by nobody", () => {
  expect(violationsOf(robbed(...alive(200, 9_900)), robber, [])).toMatchObject({
    standstills: 0,
    violations: [
      expect.stringMatching(/member 0 was robbed of 0/u),
      expect.stringMatching(/worked on partition 0 at once/u),
      expect.stringMatching(/0\/1 was worked on by member 0 in peace/u),
    ],
  });
});

test("one that stood still may be, for a while", () => {
  const stoodStill = [...alive(200, 7_000), ...alive(7_600, 9_900)];
  expect(violationsOf(robbed(...stoodStill), robber, [])).toMatchObject({ standstills: 1, violations: [] });
});

test("a standstill long ago excuses nothing", () => {
  const stoodStill = [...alive(200, 1_000), ...alive(1_600, 9_900)];
  const { violations, standstills } = violationsOf(robbed(...stoodStill), robber, []);
  expect([violations.length, standstills]).toEqual([3, 1]);
});
