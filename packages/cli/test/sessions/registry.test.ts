import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { install, SQLITE_STORE } from "../support/install-package.ts";
import { withoutPackages } from "../support/without-packages.ts";
import { createWorkspace } from "../support/workspace.ts";

const LOCAL_LOG = new URL("../../../source-local/src/index.ts", import.meta.url).href;

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
  expect(JSON.parse(await out("consumer list --partitions -O json --log foo:l --store foo:s"))).toMatchObject([
    { consumer: "c1", nextOffset: "1", lag: "0" },
  ]);
  expect(JSON.parse(await out("consumer list --partitions -O json"))).toEqual([]);
});

test("a package of any name is found by option, environment or config file", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await install(workspace, "@acme/positions", storePackage("acme+db"));
  const list = ["consumer", "list", "--partitions", "-O", "json", "--store", "acme+db:s"];
  expect((await run(list)).code).toBe(2);
  expect(await run([...list, "--plugin", "@acme/positions"])).toMatchObject({ code: 0, stdout: "[]\n" });
  expect(await run(list, { environment: { TIDEMARK_PLUGINS: "@acme/positions" } })).toMatchObject({ code: 0 });
  await writeFile(join(workspace.folder, "tidemark.json"), '{ "plugins": ["@acme/positions"], "store": "acme+db:s" }');
  expect(await out("consumer list --partitions -O json")).toBe("[]\n");
});

test("a package that is no store, or breaks, is named", async () => {
  await using workspace = await createWorkspace();
  const { run } = workspace;
  await install(workspace, "tidemark-store-empty", "export const something = 1;");
  await install(workspace, "tidemark-store-broken", 'throw new Error("out of order");');
  expect(await run(["consumer", "list", "--store", "empty:x"])).toMatchObject({
    code: 1,
    stderr:
      'tidemark: "tidemark-store-empty" is not a store package: it does not export storeUrl with schemes, usage and open()\n',
  });
  expect(await run(["consumer", "list", "--store", "broken:x"])).toMatchObject({
    code: 1,
    stderr: 'tidemark: "tidemark-store-broken" could not be loaded: out of order\n',
  });
});

test("a package of ours that is installed next to the user's own is used", async () => {
  await using workspace = await createWorkspace();
  await install(workspace, "@tidemark/store-redis", storePackage("redis"));
  const finished = await workspace.run(["consumer", "list", "--partitions", "-O", "json", "--store", "redis:s"], {
    environment: withoutPackages("@tidemark/store-redis"),
  });
  expect(finished).toEqual({ code: 0, stdout: "[]\n", stderr: "" });
});

/** A store that tells of something, or fails, when it is opened; `told` runs with `options` at hand. */
function storeThat(told: string): string {
  return `
    import { storeUrl as sqlite } from ${JSON.stringify(SQLITE_STORE)};
    export const storeUrl = {
      schemes: ["foo"],
      usage: "foo:NAME",
      async open(url, options) {
        ${told}
        return sqlite.open("sqlite:foo.db", options);
      },
    };`;
}

test("what a store warns of is said once, on standard error", async () => {
  await using workspace = await createWorkspace();
  const warning = '{ type: "warning", store: "foo", message: "positions can be evicted; set maxmemory-policy" }';
  const retry =
    '{ type: "retry", store: "foo", operation: "list", attempt: 1, error: new Error("foo store: cut off") }';
  await install(
    workspace,
    "tidemark-store-foo",
    storeThat(`options.onEvent(${warning}); options.onEvent(${retry}); options.onEvent(${warning});`),
  );
  const said = "warning: foo store: positions can be evicted; set maxmemory-policy\n";
  const list = ["consumer", "list", "--partitions", "-O", "json", "--store", "foo:x"];
  expect(await workspace.run(list)).toEqual({ code: 0, stdout: "[]\n", stderr: said });
  expect(await workspace.run([...list, "--verbose"])).toEqual({
    code: 0,
    stdout: "[]\n",
    stderr: `${said}foo store: cut off; tried again\n`,
  });
});

test.each([
  ["where nobody waits for it", 'setImmediate(() => { throw new Error("cut off"); }); await new Promise(() => {});'],
  [
    "with nobody to hear of it",
    'void Promise.reject(new Error("cut off")); await new Promise((r) => setTimeout(r, 9e3));',
  ],
  ["as a broken pipe", 'throw Object.assign(new Error("cut off"), { code: "EPIPE" });'],
  ["from all addresses", 'throw new AggregateError([new Error("cut off")]);'],
])("a client that fails %s ends the command in one line", async (_, told) => {
  await using workspace = await createWorkspace();
  await install(workspace, "tidemark-store-foo", storeThat(told));
  const finished = await workspace.run(["consumer", "list", "--store", "foo:x"]);
  expect(finished).toEqual({ code: 1, stdout: "", stderr: "tidemark: cut off\n" });
});

test("what failed first is said, also where closing the store fails too", async () => {
  await using workspace = await createWorkspace();
  const broken = `
    const fail = (what) => async () => { throw new Error(what); };
    return { name: "foo", delete: fail("cut off"), [Symbol.asyncDispose]: fail("not closed") };`;
  await install(workspace, "tidemark-store-foo", storeThat(broken));
  const finished = await workspace.run(["consumer", "delete", "c1", "--store", "foo:x"]);
  expect(finished).toEqual({ code: 1, stdout: "", stderr: "tidemark: cut off\n" });
});

test("a password that a store or its client repeats is left out, with the stack too", async () => {
  await using workspace = await createWorkspace();
  await install(
    workspace,
    "tidemark-store-foo",
    storeThat('process.emitWarning("old: " + url); throw new Error(url + " and hunter2", { cause: { url } });'),
  );
  const finished = await workspace.run(["consumer", "list", "--verbose", "--store", "foo://user:hunter2@host"]);
  expect(finished.code).toBe(1);
  expect(finished.stderr).toMatch(/^Warning: old: foo:\/\/\*\*\*@host$/m);
  expect(finished.stderr).toMatch(/^tidemark: foo:\/\/\*\*\*@host and \*\*\*$/m);
  expect(finished.stderr).toContain("    at ");
  expect(finished.stderr).not.toContain("hunter2");
});

test("the log has its own time for each topic: many that are slow one by one all show their lag, and one that hangs is told", async () => {
  await using workspace = await createWorkspace();
  await install(
    workspace,
    "tidemark-log-slow",
    `export const logUrl = {
      schemes: ["slow"],
      usage: "slow:",
      open: async () => ({
        name: "slow",
        partitions: async (topic) => {
          // One after the other, eighty times this would be longer than any is waited for.
          await new Promise((resolve) => setTimeout(resolve, topic === "hangs" ? 60_000 : 100).unref());
          return [0];
        },
        listOffsets: async (topic, entries) => entries.map(({ partition }) => ({ partition, offset: 9n })),
        fetch: async () => { throw new Error("nobody reads"); },
        close: async () => {},
        [Symbol.asyncDispose]: async () => {},
      }),
    };`,
  );
  const topics = [...Array.from({ length: 80 }, (_, index) => `t${index}`), "hangs"];
  const lines = topics.map((topic) => JSON.stringify({ consumer: "c", topic, partition: 0, nextOffset: "2" }));
  await workspace.out("consumer import - --execute", `${lines.join("\n")}\n`);
  const listed = await workspace.run(["consumer", "list", "--partitions", "-O", "json", "--log", "slow:"]);
  const positions = JSON.parse(listed.stdout) as { readonly topic: string; readonly lag?: string }[];
  const without = positions.filter(({ lag }) => lag !== "7").map(({ topic }) => topic);
  expect({ count: positions.length, without }).toEqual({ count: 81, without: ["hangs"] });
  expect(listed.stderr).toBe('warning: no lag is shown on topic "hangs": the log did not answer within 5 s\n');
});

test("a process that stood still takes the log's answer, which came meanwhile, and does not give up on it", async () => {
  await using workspace = await createWorkspace();
  await install(
    workspace,
    "tidemark-log-slow",
    `import { readFile } from "node:fs/promises";
    export const logUrl = {
      schemes: ["slow"],
      usage: "slow:",
      open: async () => ({
        name: "slow",
        partitions: async () => {
          const answer = readFile(import.meta.filename);
          // Timers run first when it goes on: longer than the log is waited for.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_500);
          await answer;
          return [0];
        },
        listOffsets: async (topic, entries) => entries.map(({ partition }) => ({ partition, offset: 9n })),
        fetch: async () => { throw new Error("nobody reads"); },
        close: async () => {},
        [Symbol.asyncDispose]: async () => {},
      }),
    };`,
  );
  const line = JSON.stringify({ consumer: "c", topic: "t", partition: 0, nextOffset: "2" });
  await workspace.out("consumer import - --execute", `${line}\n`);
  const listed = await workspace.run(["consumer", "list", "--partitions", "--log", "slow:"]);
  expect(listed).toMatchObject({ code: 0, stderr: "" });
  expect(listed.stdout).toMatch(/^c +t +0 +2 +7 /m);
});
