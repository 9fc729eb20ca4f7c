import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { sweepServerFolders } from "../../src/servers/server-folder.ts";

test("a sweep finds what workers left that have another folder for temporary files than the process that sweeps", () => {
  const other = mkdtempSync(join(tmpdir(), "tidemark-sweep-"));
  onTestFinished(() => rmSync(other, { recursive: true, force: true }));
  const left = join(other, `tidemark-servers-${process.getuid?.() ?? "user"}`, "999999999-1-abcd");
  mkdirSync(left, { recursive: true });
  vi.stubEnv("TMPDIR", other);
  onTestFinished(() => void vi.unstubAllEnvs());
  sweepServerFolders();
  expect(existsSync(left)).toBe(false);
});
