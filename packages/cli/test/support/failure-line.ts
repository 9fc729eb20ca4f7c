import { expect } from "vitest";
import type { Finished } from "./workspace.ts";

/** What a command that failed says: one line, and where the code is explained, if the error has one; no secret, no stack. */
export function failureLine({ stderr, code }: Finished): string {
  expect(stderr).toMatch(/^tidemark: [^\n]+\n(?:help: https:\/\/\S+\/docs\/errors\.md#[a-z_]+\n)?$/);
  expect(stderr).not.toMatch(/secret|node:internal/);
  const [line = "", help = ""] = stderr.split("\n");
  // The address is not said twice, and wrong usage has no code.
  expect(line).not.toContain("errors.md");
  if (code === 2) expect(help).toBe("");
  return line.slice("tidemark: ".length);
}
