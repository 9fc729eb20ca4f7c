import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createWorkspace } from "../support/workspace.ts";

test("with nothing said, one file in the user's data folder keeps log and positions", async () => {
  await using workspace = await createWorkspace();
  const { out, folder } = workspace;
  await out("topic create t");
  await out("consume t -c c1 --until-end");
  const files = await readdir(join(folder, "data", "tidemark"));
  expect(files.filter((name) => name.endsWith(".db"))).toEqual(["tidemark.db"]);
});

test("with a log named and no store, it says where the position is kept", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  await out("topic create t --log local:mine.db");
  const consume = ["consume", "t", "-c", "c1", "--until-end", "--log", "local:mine.db"];
  const { stderr } = await run(consume);
  expect(stderr).toContain(`the position is stored in ${join(folder, "data", "tidemark", "tidemark.db")}; --store`);
  expect((await run([...consume, "--store", "sqlite:mine.db"])).stderr).not.toContain("is stored in");
});

test("an odd name of the data folder is no URL", async () => {
  await using workspace = await createWorkspace();
  const environment = { XDG_DATA_HOME: join(workspace.folder, "100% ?sure#") };
  expect((await workspace.run(["topic", "create", "t"], { environment })).code).toBe(0);
  expect((await workspace.run(["consume", "t", "-c", "c1", "--until-end"], { environment })).code).toBe(0);
  expect(await readdir(join(workspace.folder, "100% ?sure#", "tidemark"))).toContain("tidemark.db");
});

test("an option goes before the environment, that before the config file, that before the default", async () => {
  await using workspace = await createWorkspace();
  const { folder, run, out } = workspace;
  for (const name of ["option", "environment", "file", "default"]) {
    await out(name === "default" ? "topic create in-default" : `topic create in-${name} --log local:${name}.db`);
  }
  const list = async (args: readonly string[], environment: Record<string, string> = {}): Promise<string> =>
    (await run(["topic", "list", "-O", "json", ...args], { environment })).stdout.match(/in-\w+/)?.[0] ?? "";
  expect(await list([])).toBe("in-default");
  await mkdir(join(folder, "config", "tidemark"), { recursive: true });
  await writeFile(join(folder, "config", "tidemark", "tidemark.yaml"), "log: local:file.db\n");
  expect(await list([])).toBe("in-file");
  // The one in the working directory is nearer than the user's own.
  await writeFile(join(folder, "tidemark.json"), '{ "log": "local:environment.db" }');
  expect(await list([])).toBe("in-environment");
  expect(await list([], { TIDEMARK_LOG: "local:option.db" })).toBe("in-option");
  expect(await list([], { TIDEMARK_LOG: "" })).toBe("in-environment");
  expect(await list(["--log", "local:file.db"], { TIDEMARK_LOG: "local:option.db" })).toBe("in-file");
  await writeFile(join(folder, "other.yml"), "log: local:option.db\n");
  expect(await list(["--config", "other.yml"])).toBe("in-option");
  expect(await list([], { TIDEMARK_CONFIG: "other.yml" })).toBe("in-option");
});

test("namespaces do not see each other's positions", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("consume t -c c1 --until-end --namespace one");
  const environment = { TIDEMARK_NAMESPACE: "one" };
  expect(await out("consumer list --partitions -O json")).toBe("[]\n");
  expect((await run(["consumer", "list", "--partitions", "-O", "json"], { environment })).stdout).toContain('"c1"');
});

test("global options stand before or after the command", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("--log local:here.db topic create t");
  expect(await workspace.out("-O json topic list --log local:here.db")).toContain('"name": "t"');
});
