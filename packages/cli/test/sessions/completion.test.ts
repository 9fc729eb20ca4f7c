import { execFile } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createWorkspace, environmentOf, TIDEMARK } from "../support/workspace.ts";

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
  // Those shells that completion takes, and no other.
  expect((await workspace.run(["complete", "--", "completion", ""])).stdout).toBe("bash\t\nzsh\t\nfish\t\n:4\n");
  expect(script).toMatch(/complete .*tidemark/);
});

test("names of topics and consumers are completed, where one stands", async () => {
  await using workspace = await createWorkspace();
  const { out, run: tidemark } = workspace;
  await out("topic create orders --partitions 2");
  await out("topic create payments");
  await out("topic create other --log local:other.db");
  // A shell would run it, were it typed for somebody.
  expect(await tidemark(["topic", "create", "a$(touch run)"])).toMatchObject({ code: 0 });
  await out("consume orders -c billing --all --until-end");
  await out("consume payments -c audit --until-end");
  await out("consume payments -c elsewhere --until-end --store sqlite:elsewhere.db");
  const offered = async (...words: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await tidemark(["complete", "--", ...words]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout.split("\n").flatMap((line) => (/^(?::\d+)?$/.test(line) ? [] : [line.split("\t")[0] ?? ""]));
  };
  for (const [words, expected] of [
    [
      ["topic", "describe", ""],
      ["orders", "payments"],
    ],
    [["topic", "delete", "o"], ["orders"]],
    [
      ["produce", ""],
      ["orders", "payments"],
    ],
    [["consume", "p"], ["payments"]],
    [
      ["consume", "orders", "-c", ""],
      ["audit", "billing"],
    ],
    [["consume", "orders", "--consumer", "b"], ["billing"]],
    [
      ["consumer", "describe", ""],
      ["audit", "billing"],
    ],
    [["consumer", "reset", "billing", "-t", "or"], ["orders"]],
    [
      ["consumer", "export", "audit", ""],
      ["audit", "billing"],
    ],
    [["--log", "local:other.db", "consume", ""], ["other"]],
    [["consumer", "delete", "--store", "sqlite:elsewhere.db", ""], ["elsewhere"]],
    // A new one, and names that cannot be had.
    [["topic", "create", ""], []],
    [["--log", "local:typo.db", "consume", ""], []],
    [["--store", "sqlite:typo.db", "consumer", "describe", ""], []],
    [["--store", "nonsense", "consumer", "describe", ""], []],
  ] as const) {
    expect(await offered(...words), words.join(" ")).toEqual(expected);
  }
  expect((await readdir(workspace.folder)).toSorted()).toEqual(["data", "elsewhere.db", "other.db"]);
});

test("without a file in the data folder the tab key makes none", async () => {
  await using workspace = await createWorkspace();
  expect(await workspace.out("complete -- topic describe o")).toBe(":4\n");
  expect(await workspace.out("complete -- consumer describe b")).toBe(":4\n");
  expect(await readdir(workspace.folder)).toEqual([]);
});

test("the tab key in bash completes a consumer's name", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create orders");
  await workspace.out("consume orders -c billing --until-end");
  await writeFile(join(workspace.folder, "completion.bash"), await workspace.out("completion bash"));
  const words = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const { stdout } = await run(
    "bash",
    [
      "-c",
      `tidemark() { ${TIDEMARK.map(words).join(" ")} "$@"; }
       # Of the package bash-completion.
       _get_comp_words_by_ref() { words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=\${words[cword]}; prev=\${words[cword-1]}; }
       compopt() { :; }
       source ./completion.bash
       COMP_WORDS=(tidemark consumer describe bi); COMP_CWORD=3
       __tidemark_complete
       echo "\${COMPREPLY[@]}"`,
    ],
    { cwd: workspace.folder, env: environmentOf(workspace.folder) },
  );
  expect(stdout.trim()).toBe("billing");
});

test("a shell that it does not know is wrong usage", async () => {
  await using workspace = await createWorkspace();
  const { code, stderr } = await workspace.run(["completion", "tcsh"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/bash, zsh, fish/);
});
