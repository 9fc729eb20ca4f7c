import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createWorkspace, type Workspace } from "../support/workspace.ts";

const SQLITE_STORE = new URL("../../../store-sqlite/src/index.ts", import.meta.url).href;
const LOCAL_LOG = new URL("../../../source-local/src/index.ts", import.meta.url).href;

/** Writes a package as npm would install it: one that `import` alone may load, as most are today. */
async function install(workspace: Workspace, name: string, source: string): Promise<void> {
  const folder = join(workspace.folder, "node_modules", name);
  await mkdir(folder, { recursive: true });
  const manifest = { name, version: "1.0.0", type: "module", exports: { ".": { import: "./main.js" } } };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "main.js"), source);
}

/** A third party's store, here one that keeps positions in a SQLite file with a name of its own. */
function storePackage(scheme: string): string {
  return `
    import { storeUrl as sqlite } from ${JSON.stringify(SQLITE_STORE)};
    export const storeUrl = {
      schemes: [${JSON.stringify(scheme)}],
      usage: "${scheme}:NAME",
      open: (url, options) => sqlite.open("sqlite:" + url.slice(url.indexOf(":") + 1) + ".third-party.db", options),
    };`;
}

const logPackage = `
  import { logUrl as local } from ${JSON.stringify(LOCAL_LOG)};
  export const logUrl = {
    schemes: ["foo"],
    usage: "foo:NAME",
    open: (url) => local.open("local:" + url.slice(4) + ".third-party-log.db"),
  };`;

test("a third party's store and log are found by the names of their packages", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await install(workspace, "tidemark-store-foo", storePackage("foo"));
  await install(workspace, "tidemark-log-foo", logPackage);
  await out("topic create t --log foo:l");
  await out("produce t --log foo:l", "a\n");
  expect(await out("consume t -c c1 --until-end --log foo:l --store foo:s")).toBe("a\n");
  expect(JSON.parse(await out("consumer list -O json --log foo:l --store foo:s"))).toMatchObject([
    { consumer: "c1", nextOffset: "1", lag: "0" },
  ]);
  expect(JSON.parse(await out("consumer list -O json"))).toEqual([]);
});

test("a package of any name is found by option, environment or config file", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await install(workspace, "@acme/positions", storePackage("acme+db"));
  const list = ["consumer", "list", "-O", "json", "--store", "acme+db:s"];
  expect((await run(list)).code).toBe(2);
  expect(await run([...list, "--plugin", "@acme/positions"])).toMatchObject({ code: 0, stdout: "[]\n" });
  expect(await run(list, { environment: { TIDEMARK_PLUGINS: "@acme/positions" } })).toMatchObject({ code: 0 });
  await writeFile(join(workspace.folder, "tidemark.json"), '{ "plugins": ["@acme/positions"], "store": "acme+db:s" }');
  expect(await out("consumer list -O json")).toBe("[]\n");
});

test("a package that is no store, or breaks, is named", async () => {
  await using workspace = await createWorkspace();
  const { run } = workspace;
  await install(workspace, "tidemark-store-empty", "export const something = 1;");
  await install(workspace, "tidemark-store-broken", 'throw new Error("out of order");');
  expect(await run(["consumer", "list", "--store", "empty:x"])).toMatchObject({
    code: 1,
    stderr:
      'tidemark: "tidemark-store-empty" is not a package of a store: it does not export storeUrl with schemes, usage and open()\n',
  });
  expect(await run(["consumer", "list", "--store", "broken:x"])).toMatchObject({
    code: 1,
    stderr: 'tidemark: "tidemark-store-broken" could not be loaded: out of order\n',
  });
});

test("a package of ours that is installed next to the user's own is used", async () => {
  await using workspace = await createWorkspace();
  await install(workspace, "@tidemark/store-redis", storePackage("redis"));
  expect(await workspace.out("consumer list -O json --store redis:s")).toBe("[]\n");
});
