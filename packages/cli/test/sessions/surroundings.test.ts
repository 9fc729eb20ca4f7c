import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createWorkspace, environmentOf, TIDEMARK, type Finished, type Workspace } from "../support/workspace.ts";

const PLACES = "--log local:a.db --store sqlite:a.db";

/** Runs a command in namespaces of its own, as a container does. */
async function runIsolated(
  { folder }: Workspace,
  options: readonly string[],
  script: string,
  environment: NodeJS.ProcessEnv,
): Promise<Finished> {
  const args = [...options, "--", "sh", "-c", script, ...TIDEMARK];
  try {
    const run = await promisify(execFile)("unshare", args, { cwd: folder, env: environment });
    return { code: 0, ...run };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

test("a user without a passwd entry and without HOME needs neither where store and log are named", async () => {
  await using workspace = await createWorkspace();
  await workspace.out(`topic create t ${PLACES}`);
  await workspace.out(`produce t ${PLACES}`, "a\n");
  const { HOME: _, XDG_DATA_HOME: __, XDG_CONFIG_HOME: ___, ...homeless } = environmentOf(workspace.folder);
  const user = ["--user", "--map-user=54321", "--map-group=54321"];
  const run = (command: string): Promise<Finished> => runIsolated(workspace, user, `"$0" "$@" ${command}`, homeless);
  expect(await run(`consume t -c c1 --until-end ${PLACES}`)).toMatchObject({ code: 0, stdout: "a\n" });
  expect((await run(`consumer list ${PLACES}`)).stdout).toContain("c1");
  expect(await run(`consumer list --log local:a.db`)).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "tidemark: this user has no home folder for the default file (uv_os_homedir returned ENOENT (no such file or directory)); give --store and --log, or set HOME\n",
  });
});

test("what lies on a read-only mount is said to", async () => {
  await using workspace = await createWorkspace();
  await workspace.out(`topic create t ${PLACES}`);
  const user = ["--user", "--map-root-user", "--mount"];
  const mounted = "mkdir -p ro && mount -t tmpfs none ro && cp a.db ro && mount -o remount,ro ro";
  const run = (command: string): Promise<Finished> =>
    runIsolated(workspace, user, `${mounted} && "$0" "$@" ${command}`, environmentOf(workspace.folder));
  for (const name of ["a", "new"]) {
    for (const command of [
      `topic create u --log local:ro/${name}.db`,
      `consume t -c c1 --until-end --log local:a.db --store sqlite:ro/${name}.db`,
    ]) {
      const { code, stderr } = await run(command);
      expect({ command, code, stderr }).toMatchObject({ command, code: 1 });
      expect(stderr).toMatch(
        new RegExp(`^tidemark: .*ro/${name}\\.db" is on a read-only file system.*; mount it writable, or`),
      );
    }
  }
});

test("the line break at the end of a secret's file is not part of a URL or a namespace", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  await out(`topic create t ${PLACES}`);
  await out(`produce t ${PLACES}`, "a\n");
  await out(`consume t -c c1 --until-end ${PLACES} --namespace mine`);
  const environment = {
    TIDEMARK_STORE: "sqlite:a.db\n",
    TIDEMARK_LOG: "local:a.db\r\n",
    TIDEMARK_NAMESPACE: "mine\n",
  };
  expect(await run(["consume", "t", "-c", "c1", "--until-end"], { environment })).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
  expect((await readdir(folder)).filter((name) => name.startsWith("a.db"))).toEqual(["a.db"]);
});

test.each([
  ["--store", "sqlite:a\u0001.db", "the store's URL has the character U+0001; write it as %01 if it belongs there"],
  ["--log", "local:a\nb.db", "the log's URL has the character U+000A; write it as %0A if it belongs there"],
  ["--store", "sqlite:a.db ", "the store's URL ends with a space; write it as %20 if it belongs there"],
])("a URL for %s with what nobody types on purpose is refused: %j", async (option, url, message) => {
  await using workspace = await createWorkspace();
  const { run, folder } = workspace;
  const refused = { code: 2, stdout: "", stderr: `tidemark: ${message}\n` };
  expect(await run(["consume", "t", "-c", "c1", option, url])).toEqual(refused);
  const environment = { [option === "--store" ? "TIDEMARK_STORE" : "TIDEMARK_LOG"]: url };
  expect(await run(["consume", "t", "-c", "c1"], { environment })).toEqual(refused);
  expect(await readdir(join(folder))).toEqual([]);
});

test("a first start under a name says so, and the next one does not", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 3");
  await out("produce t", "a\nb\nc\n");
  const consume = async (...more: string[]): Promise<string> =>
    (await run(["consume", "t", "-c", "c1", "--until-end", ...more])).stderr;
  expect(await consume("-p", "0")).toBe('topic "t" partition "0": consumer "c1" has no position yet; starts at 0\n');
  expect(await consume("-p", "0")).toBe("");
  expect(await consume("--all", "--start", "end")).toContain(
    'topic "t": consumer "c1" has no position yet on 2 partitions; --verbose says where each starts\n',
  );
  expect(await consume("--all")).toBe("");
  expect((await run(["consume", "t", "--until-end"])).stderr).not.toContain("position");
});
