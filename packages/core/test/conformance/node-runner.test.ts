import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { storeConformanceCases } from "@tidemark/core/conformance";
import { expect, it } from "vitest";

it("runs under node --test as it does under vitest", async () => {
  const suite = fileURLToPath(new URL("node-runner-suite.ts", import.meta.url));
  const run = promisify(execFile);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await run(process.execPath, ["--conditions=@tidemark/source", "--test-reporter=tap", suite], {
    env,
  });
  // One for the model.
  assert.match(stdout, new RegExp(`# pass ${storeConformanceCases.length + 1}\\b`));
  expect(stdout).toMatch(/# fail 0\b/);
});
