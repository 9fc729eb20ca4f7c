import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contractSections } from "../../../src/conformance/command/contract-sections.ts";
import { driverConformanceCases, storeConformanceCases } from "../../../src/conformance/index.ts";
import type { ConformanceReport } from "../../../src/conformance/command/report.ts";
import { createFolder, type Folder } from "./folder.ts";

const MEMORY = import.meta.resolve("@tidemark/store-memory");

/** A harness of memory stores; `spoil` is the body of a function that changes the store, and `open` may have more to do. */
function memoryModule({ spoil = "", open = "", more = "" }: { spoil?: string; open?: string; more?: string }): string {
  return `
    import { createMemoryBackend, createMemoryStore } from ${JSON.stringify(MEMORY)};
    const backend = createMemoryBackend();
    const spoil = (store) => { ${spoil} };
    ${more}
    export const storeHarness = {
      name: "my memory",
      connection: "embedded",
      async open(options) {
        const store = createMemoryStore({ ...options, backend });
        spoil(store);
        ${open}
        return { store, close: () => store.close() };
      },
    };`;
}

async function folderWith(module: string): Promise<Folder> {
  const folder = await createFolder();
  await writeFile(join(folder.path, "my-store.js"), module);
  return folder;
}

/** Lets a late commit through a fence: what the case fence/superseded finds. */
const NO_FENCE = `
  const commit = store.commit.bind(store);
  store.commit = async (...args) => (await commit(...args)).map((outcome) =>
    outcome.status === "fenced" ? { status: "committed" } : outcome);`;

test("a store that keeps the contract passes every case, and the report has a row for each section", async () => {
  await using folder = await folderWith(memoryModule({}));
  const { code, stdout, stderr } = await folder.run(["./my-store.js"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const count = driverConformanceCases.length + storeConformanceCases.length;
  const [, passed, of, without] =
    /^my memory: (\d+) of (\d+) passed, (\d+) not promised$/.exec(stdout.trimEnd().split("\n").at(-1) ?? "") ?? [];
  expect({ of: Number(of), sum: Number(passed) + Number(without) }).toEqual({ of: count, sum: count });
  for (const [section, about] of Object.entries(contractSections)) expect(stdout).toContain(`\n${section} ${about} `);
});

test("a case that has nothing to look at has not passed: what the store does not promise, or the harness cannot bring about", async () => {
  await using folder = await folderWith(`
    import { openSqliteStore } from ${JSON.stringify(import.meta.resolve("@tidemark/store-sqlite"))};
    const open = async ({ namespace, ...options }) => {
      const store = await openSqliteStore({ ...options, namespace, file: "offsets.db", synchronous: "normal" });
      return { store, close: () => store.close() };
    };
    export const storeHarness = { name: "my sqlite", connection: "embedded", open };`);
  const ids = ["driver/answer-lost", "clock/of-the-store", "driver/read-error", "failure/read-error", "failure/outage"];
  const args = ["./my-store.js", ...ids.flatMap((id) => ["--case", id]), "--case", "commit/forward"];
  const { code, stdout } = await folder.run(args);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^CLAUSE +CASES +PASSED +FAILED +UNTESTED$/m);
  expect(stdout).toMatch(/^4\.1 Reading +1 +0 +0 +1$/m);
  expect(stdout).toContain('Not tested, because the store does not promise it: connection: "embedded" (2)\n');
  expect(stdout).toContain("Not tested, because the harness lacks a member: makeUnreadable (2), makeUnavailable (1)\n");
  expect(stdout).toContain("my sqlite: 1 of 6 passed, 2 not promised, 3 not tried\n");
  const data = await folder.run([...args, "--json"]);
  const report = JSON.parse(data.stdout) as ConformanceReport;
  expect(report).toMatchObject({ passed: 1, failed: 0, notPromised: 2, notTried: 3 });
  expect(report.cases.find(({ id }) => id === "driver/read-error")).toMatchObject({
    status: "not-tried",
    reason: "makeUnreadable",
  });
});

test("what the sections are about is what the contract says", () => {
  const contract = readFileSync(new URL("../../../../../docs/contract.md", import.meta.url), "utf8");
  const headings = [...contract.matchAll(/^### (?<section>[348]\.\d+) (?<about>.+)$/gm)];
  const cases = [...storeConformanceCases, ...driverConformanceCases];
  const tested = new Set(cases.map(({ clause }) => clause.replace(/[a-z]$/, "")));
  const expected = headings.flatMap(([, section = "", about]) => (tested.has(section) ? [[section, about]] : []));
  expect(Object.entries(contractSections)).toEqual(expected);
});

test("a broken store fails: the report names case, clause and what was seen, and the exit code is 1", async () => {
  await using folder = await folderWith(memoryModule({ spoil: NO_FENCE }));
  const args = ["./my-store.js", "--case", "fence/superseded", "--case", "fence/zombie"];
  const { code, stdout, stderr } = await folder.run(args);
  expect(code).toBe(1);
  expect(stderr).toBe("tidemark-conformance: my memory violates the contract\n");
  const title = storeConformanceCases.find(({ id }) => id === "fence/superseded")?.title;
  expect(stdout).toContain(`FAILED 3.1d fence/superseded\n  ${title}\n    `);
  expect(stdout).toMatch(/^3\.1 Claims and commits +2 +0 +2 +0$/m);
  expect(stdout).toContain("my memory: 2 of 2 failed\n");
});

test("--json gives every case as data", async () => {
  await using folder = await folderWith(memoryModule({ spoil: NO_FENCE }));
  const args = ["./my-store.js", "--case", "fence/superseded", "--case", "3.13b", "--json"];
  const { code, stdout } = await folder.run(args);
  expect(code).toBe(1);
  const report = JSON.parse(stdout) as ConformanceReport;
  expect(report).toMatchObject({ store: "my memory", passed: 1, failed: 1, deviations: 0, hasDriver: true });
  expect(report.cases.map(({ id, clause, status }) => [id, clause, status])).toEqual([
    ["fence/superseded", "3.1d", "failed"],
    ["delete/empty-selector", "3.13b", "passed"],
  ]);
});

test("a wrong driver fails the driver's cases, which come first and name the verb", async () => {
  const core = JSON.stringify(import.meta.resolve("@tidemark/core/driver"));
  await using folder = await folderWith(`
    import { createOffsetStore } from ${core};
    const driver = {
      name: "forgetful",
      capabilities: { atomicBatch: false, transactions: false, durability: "none",
        expiry: { reclaim: "on-write", granularityMs: 1 }, maxBatch: 10 },
      read: async (keys) => ({ now: Date.now(), entries: keys.map(() => undefined) }),
      write: async () => ({ writtenAt: Date.now(), changes: undefined }),
      list: async function* () {},
      classify: () => ({ code: "UNKNOWN", retryable: false, message: "?" }),
      close: async () => {},
    };
    export const storeHarness = { name: "forgetful", connection: "embedded", async open(options) {
      const store = createOffsetStore(driver, options);
      return { store, close: () => store.close() };
    } };`);
  const args = ["./my-store.js", "--case", "commit/forward", "--case", "driver/read-in-order"];
  const { code, stdout } = await folder.run(args);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAILED 4\.1a driver\/read-in-order\n[^]+read is wrong[^]+^FAILED 3\.\w+ commit\/forward/m);
  expect(stdout).toMatch(/^3\.\d+ [^]+^4\.1 Reading +1 +0 +1 +0$/m);
});

test("a store without a driver is tested as a store, and the report says so", async () => {
  // As somebody writes one who implements all verbs.
  const open = `const own = {};
    for (const name of ["claim", "commit", "fetch", "reset", "expire", "delete", "list", "close"]) {
      own[name] = store[name].bind(store);
    }
    const { name, namespace, capabilities } = store;
    return { store: { ...own, name, namespace, capabilities }, close: () => store.close() };`;
  await using folder = await folderWith(memoryModule({ open }));
  const cases = ["driver/read-in-order", "commit/forward"].flatMap((id) => ["--case", id]);
  const { code, stdout } = await folder.run(["./my-store.js", ...cases]);
  expect(code).toBe(0);
  expect(stdout).toContain(
    "my memory: 1 of 1 passed; the store does not come from createOffsetStore, so there was no driver to test\n",
  );
  const nothing = await folder.run(["./my-store.js", "--case", "driver"]);
  expect(nothing).toMatchObject({ code: 2, stdout: "" });
  expect(nothing.stderr).toContain("there is no driver to test: the store does not come from createOffsetStore");
});

test.each([
  ["the store itself", "return store;", "the store itself"],
  ["nothing", "return;", "undefined"],
  ["a store that nothing closes", "return { store };", "a store without close()"],
])("a harness whose open gives %s is told what to give", async (_, open, given) => {
  await using folder = await folderWith(memoryModule({ open }));
  const { code, stdout, stderr } = await folder.run(["./my-store.js", "--case", "commit/forward"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain(`open() of the harness must return { store, close }, and returned ${given}\n`);
});

test("a store that keeps its data is opened in a second process too", async () => {
  await using folder = await folderWith(`
    import { mkdtempSync, rmSync } from "node:fs";
    import { openSqliteStore } from ${JSON.stringify(import.meta.resolve("@tidemark/store-sqlite"))};
    const folder = (process.env.MY_STORE_FOLDER ??= mkdtempSync("data-"));
    console.log("imported");
    const open = async ({ namespace, ...options }) => {
      const store = await openSqliteStore({ ...options, namespace, file: folder + "/offsets.db", synchronous: "normal" });
      const close = () => store.close();
      const reopen = async () => { await close(); return open({ namespace, ...options }); };
      return { store, close, reopen };
    };
    export const storeHarness = { name: "my sqlite", connection: "embedded", open };`);
  const args = ["./my-store.js", "--case", "race/two-processes"];
  const { code, stdout, stderr } = await folder.run(args);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("my sqlite: 1 of 1 passed\n") });
  expect(stderr.match(/^imported$/gm)).toHaveLength(2);
});

test("a known deviation is printed with its reason and is no failure; once it passes it is one", async () => {
  const more = 'export const knownDeviations = { "fence/superseded": "not built yet" };';
  await using broken = await folderWith(memoryModule({ spoil: NO_FENCE, more }));
  const args = ["./my-store.js", "--case", "fence/superseded"];
  const known = await broken.run(args);
  expect({ code: known.code, stderr: known.stderr }).toEqual({ code: 0, stderr: "" });
  expect(known.stdout).toContain("DEVIATES 3.1d fence/superseded\n");
  expect(known.stdout).toContain("  known deviation: not built yet\n");
  expect(known.stdout).toContain("my memory: 0 of 1 passed, 1 known deviation\n");
  await using mended = await folderWith(memoryModule({ more }));
  const passing = await mended.run(args);
  expect(passing.code).toBe(1);
  expect(passing.stdout).toContain("it passes: remove it from knownDeviations");
});

test("a known deviation whose case has nothing to look at has neither failed nor passed", async () => {
  const more = 'export const knownDeviations = { "clock/of-the-store": "the clock is the client\'s" };';
  await using folder = await folderWith(memoryModule({ more }));
  const { code, stdout } = await folder.run(["./my-store.js", "--case", "clock/of-the-store"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("0 of 1 passed, 1 not promised\n") });
});

test.each([
  ["hangs", "store.commit = () => new Promise(() => {});"],
  ["never gives the thread back", "store.commit = () => { for (;;); };"],
])("a store that %s fails its case, and the others run all the same", async (_, spoil) => {
  await using folder = await folderWith(memoryModule({ spoil }));
  const cases = ["commit/forward", "delete/empty-selector"].flatMap((id) => ["--case", id]);
  const { code, stdout } = await folder.run(["./my-store.js", ...cases, "--timeout", "15000"]);
  expect(code).toBe(1);
  expect(stdout).toContain("not done within 15000 ms");
  expect(stdout).toContain("my memory: 1 of 2 failed\n");
});

test("what a store throws where nobody waits for it fails the case that ran, and no other", async () => {
  const spoil = `store.commit = () => { setImmediate(() => { throw new Error("lost"); }); return new Promise(() => {}); };`;
  await using folder = await folderWith(memoryModule({ spoil }));
  const cases = ["commit/forward", "delete/empty-selector"].flatMap((id) => ["--case", id]);
  const { code, stdout } = await folder.run(["./my-store.js", ...cases]);
  expect(code).toBe(1);
  expect(stdout).toContain("thrown outside of any awaited call: Error: lost");
  expect(stdout).toContain("my memory: 1 of 2 failed\n");
});

test("what a store prints does not mix with the data", async () => {
  await using folder = await folderWith(memoryModule({ open: 'console.log("talk");' }));
  const args = ["./my-store.js", "--case", "delete/empty-selector", "--json"];
  const { code, stdout, stderr } = await folder.run(args);
  expect({ code, passed: (JSON.parse(stdout) as ConformanceReport).passed }).toEqual({ code: 0, passed: 1 });
  expect(stderr).toContain("talk\n");
});

test.each([
  [
    "no such file",
    "./nothing.js",
    /^tidemark-conformance: "\.\/nothing\.js" could not be found from .+: there is no such file\n$/,
  ],
  [
    "no such package",
    "nothing",
    /^tidemark-conformance: "nothing" could not be found from .+: no such package is installed; a file/,
  ],
  ["no harness", "./my-store.js", /"\.\/my-store\.js" does not export storeHarness, only openMyStore: write `export/],
])("with %s it says so, and exits with 2", async (_, module, expected) => {
  await using folder = await folderWith("export const openMyStore = () => {};");
  const { code, stdout, stderr } = await folder.run([module]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(expected);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test.each([
  ["throws when it is imported", 'throw new Error("no settings");', "could not be loaded: no settings"],
  ["needs what is not installed", 'import "not-installed";', "Cannot find package 'not-installed'"],
  ["has a harness without a name", "export const storeHarness = {};", "must have a name"],
  [
    "has a wrong connection",
    'export const storeHarness = { name: "a", connection: "near" };',
    '"remote" or "embedded"',
  ],
  ["cannot open", 'export const storeHarness = { name: "a", connection: "remote" };', "must have a function open"],
  [
    "names a deviation that is none",
    memoryModule({ more: 'export const knownDeviations = { a: "b" };' }),
    "is not a case",
  ],
])("a module that %s is of no use: 2, and one line", async (_, module, expected) => {
  await using folder = await folderWith(module);
  const { code, stdout, stderr } = await folder.run(["./my-store.js"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(expected);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("an open that rejects is said once, not for every case", async () => {
  await using folder = await folderWith(memoryModule({ open: 'throw new Error("connection refused");' }));
  const { code, stdout, stderr } = await folder.run(["./my-store.js"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toBe(
    "tidemark-conformance: no case could run: opening a store, and closing it, failed: Error: connection refused\n",
  );
});

test("a case that does not exist is wrong usage, and the message shows how cases are named", async () => {
  await using folder = await folderWith(memoryModule({}));
  const { code, stderr } = await folder.run(["./my-store.js", "--case", "nonsense"]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    'there is no case "nonsense": name an id like fence/superseded, a clause like 3.5b, or a theme',
  );
});

test.each([
  [["./my-store.js", "--nonsense"], "Unknown option '--nonsense'"],
  [["./my-store.js", "--timeout", "0"], "--timeout must be a whole number of milliseconds from 1 to 2147483647"],
  [["./my-store.js", "--timeout", "3s"], "--timeout must be a whole number"],
  [[], "name one module that exports storeHarness"],
  [["./my-store.js", "./other.js"], "name one module that exports storeHarness"],
])("%j is wrong usage: 2, and one line", async (args, expected) => {
  await using folder = await folderWith(memoryModule({}));
  const { code, stdout, stderr } = await folder.run(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(expected);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("what a store says comes to the terminal without control characters, and without the passwords of URLs", async () => {
  const spoil = 'store.commit = () => Promise.reject(new Error("no \\u202E redis://me:secret@host:6379"));';
  await using folder = await folderWith(memoryModule({ spoil }));
  const { stdout } = await folder.run(["./my-store.js", "--case", "commit/forward"]);
  expect(stdout).toContain("no \\u202e redis://***@host:6379");
});

test("Ctrl-C closes what was opened, and prints what is known so far", async () => {
  // The first case hangs in its store; what the test waits for is the word of its close.
  const spoil = `store.commit = () => { console.log("hanging"); return new Promise(() => {}); };
    const close = store.close.bind(store);
    store.close = async () => { await close(); console.log("closed"); };`;
  await using folder = await folderWith(memoryModule({ spoil }));
  const command = folder.start(["./my-store.js", "--case", "3.13b", "--case", "commit/forward"]);
  await command.said("hanging");
  command.kill("SIGINT");
  const { code, stdout, stderr } = await command.ended;
  expect(code).toBe(1);
  // Once after the trial, once for the case that was interrupted.
  expect(stderr.match(/^closed$/gm)).toHaveLength(2);
  expect(stderr).toContain("tidemark-conformance: stopped after 0 of 2 cases\n");
  expect(stdout).toContain("my memory: 0 of 0 passed\n");
});

test("its help teaches what the module exports", async () => {
  await using folder = await createFolder();
  const { code, stdout } = await folder.run(["--help"]);
  expect(code).toBe(0);
  for (const text of [
    "<module>",
    "--case",
    "--timeout",
    "export const storeHarness",
    "$ tidemark-conformance ./my-store.js",
  ]) {
    expect(stdout).toContain(text);
  }
});
