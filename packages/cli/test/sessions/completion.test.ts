import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createWorkspace } from "../support/workspace.ts";

const run = promisify(execFile);

test.each(["bash", "zsh", "fish"])("%s reads the script that completion writes", async (shell) => {
  await using workspace = await createWorkspace();
  const { code, stdout, stderr } = await workspace.run(["completion", shell]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("tidemark complete --");
  // Whether it reads as a program of that shell, where the shell is there.
  if (shell === "bash") await run("bash", ["-n", "-c", stdout]);
});

test("bash completes commands and options by it", async () => {
  await using workspace = await createWorkspace();
  const script = await workspace.out("completion bash");
  const answers = await workspace.run(["complete", "--", "consumer", "re"]);
  expect(answers.stdout).toMatch(/^reset\t/m);
  expect((await workspace.run(["complete", "--", "consumer", "reset", "--to-"])).stdout).toMatch(/^--to-earliest\t/m);
  expect((await workspace.run(["complete", "--", ""])).stdout).toMatch(/^monitor\t/m);
  expect((await workspace.run(["complete", "--", ""])).stdout).not.toMatch(/^complete\t/m);
  expect(script).toMatch(/complete .*tidemark/);
});

test("a shell that it does not know is wrong usage", async () => {
  await using workspace = await createWorkspace();
  const { code, stderr } = await workspace.run(["completion", "tcsh"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/bash, zsh, fish/);
});
