import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openJournal, readJournal } from "../../src/campaign/journal.ts";

test("the beginning of a line, left by a process that was killed while it wrote, is no entry", () => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-journal-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "round.jsonl");
  const journal = openJournal(file);
  journal.write("0.0", { what: "claiming" });
  appendFileSync(file, '{"at":22503771.984,"who":"0.0",');
  journal.write("campaign", { what: "killed", worker: 0 });
  appendFileSync(file, '{"at":22503804.7');
  journal.close();
  expect(readJournal(file).map(({ who, what }) => [who, what])).toEqual([
    ["0.0", "claiming"],
    ["campaign", "killed"],
  ]);
});
