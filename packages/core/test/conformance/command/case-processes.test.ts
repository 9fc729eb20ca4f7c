import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFailed, test } from "vitest";
import { createFolder, type Folder } from "./folder.ts";

const CASE_PROCESS = fileURLToPath(new URL("../../../dist/conformance/command/case-process.js", import.meta.url));
const SQLITE = import.meta.resolve("@tidemark/store-sqlite");

async function folderWith(module: string): Promise<Folder> {
  const folder = await createFolder();
  await writeFile(join(folder.path, "my-store.js"), module);
  onTestFailed(async () => {
    const left = (await readdir(folder.path).catch(() => [])).filter((name) => name.endsWith(".pid"));
    spawnSync("kill", ["-9", ...left.map((name) => name.slice(0, -4))]);
  });
  return folder;
}

/** A harness whose data other processes see, and which knows in which process it is: `open` is the body of a function. */
function durableModule(open: string): string {
  return `
    import { rmSync, writeFileSync } from "node:fs";
    import { openSqliteStore } from ${JSON.stringify(SQLITE)};
    writeFileSync(process.pid + ".pid", "");
    process.on("exit", () => rmSync(process.pid + ".pid", { force: true }));
    const isPeer = process.env.OPENED_BY !== undefined;
    process.env.OPENED_BY ??= String(process.pid);
    const hang = () => new Promise(() => setInterval(() => {}, 1_000));
    export const storeHarness = { name: "my sqlite", connection: "embedded", async open({ namespace, ...options }) {
      const openIt = () => openSqliteStore({ ...options, namespace, file: "offsets.db", synchronous: "normal" });
      ${open}
    } };`;
}

const TWO_PROCESSES = ["./my-store.js", "--case", "race/two-processes"];

// Each resolves when nobody holds its standard error any more: a process that is left behind holds it.
test.each([
  ["whose store does not open", "", 'process._rawDebug("the peer hangs"); await hang();'],
  ["that never gives its thread back", 'process._rawDebug("the peer hangs"); for (;;);', ""],
])("a second process %s ends with the case", async (_, inCommit, inOpen) => {
  await using folder = await folderWith(
    durableModule(`
      if (isPeer) { ${inOpen} }
      const store = await openIt();
      if (isPeer) store.commit = () => { ${inCommit} };
      return { store, close: () => store.close() };`),
  );
  const command = folder.start(TWO_PROCESSES);
  await command.said("the peer hangs");
  command.kill("SIGTERM");
  const { code, stdout } = await command.ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining("my sqlite: 0 of 0 passed\n") });
});

test("a second process whose store does not close is ended", async () => {
  await using folder = await folderWith(
    durableModule(`
      const store = await openIt();
      return { store, close: () => (isPeer ? hang() : store.close()) };`),
  );
  const { code, stdout } = await folder.run(TWO_PROCESSES);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("my sqlite: 1 of 1 passed\n") });
});

test.each([
  ["the process of the cases", "!isPeer", ["the cases spin"]],
  ["a second process, and the one that started it,", "true", ["the peer spins", "the cases spin"]],
])("%s: gone after a command that is killed, also if it never gives its thread back", async (_, spins, said) => {
  await using folder = await folderWith(
    durableModule(`
      const store = await openIt();
      if (${spins}) store.commit = async () => {
        process._rawDebug(isPeer ? "the peer spins" : "the cases spin");
        for (;;);
      };
      return { store, close: () => store.close() };`),
  );
  const command = folder.start(TWO_PROCESSES);
  await Promise.all(said.map((text) => command.said(text)));
  command.kill("SIGKILL");
  expect(await command.ended).toMatchObject({ stdout: "" });
});

test("the process of the cases ends if its parent died while it started, also if the module never gives the thread back", async () => {
  await using folder = await folderWith("for (;;);");
  // Without a channel, whose end it may hear of before the module is loaded.
  const program = `
    const { spawn } = await import("node:child_process");
    const args = [${JSON.stringify(CASE_PROCESS)}, process.cwd(), "./my-store.js", "", String(process.pid)];
    const { pid } = spawn(process.execPath, args, { stdio: ["ignore", 2, 2] });
    (await import("node:fs")).writeFileSync(pid + ".pid", "");
    process.kill(process.pid, "SIGKILL");`;
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: folder.path,
    stdio: ["ignore", "ignore", "pipe"],
  });
  await once(parent, "close");
  expect(parent.signalCode).toBe("SIGKILL");
});

test("a module that cannot be loaded a second time fails the cases after it, and there is a report", async () => {
  await using folder = await folderWith(`
    import { appendFileSync, readFileSync } from "node:fs";
    appendFileSync("loads", "+");
    if (readFileSync("loads").length > 1) throw new Error("its port is taken");
    ${durableModule(`
      const store = await openIt();
      store.commit = () => process.exit(7);
      return { store, close: () => store.close() };`)}`);
  const cases = ["commit/forward", "delete/empty-selector", "delete/many"].flatMap((id) => ["--case", id]);
  const { code, stdout } = await folder.run(["./my-store.js", ...cases]);
  expect(code).toBe(1);
  expect(stdout).toContain("the process ended in the middle of it, with code 7");
  expect(stdout).toContain("could not be loaded: its port is taken");
  expect(stdout).toContain("my sqlite: 3 of 3 failed\n");
  // It is not waited for again in each case.
  expect(await readFile(join(folder.path, "loads"), "utf8")).toBe("++");
});

test.each(["return new Opened(await openIt());", "return Object.freeze(new Opened(await openIt()));"])(
  "what a harness opens may be of a class with private members: %s",
  async (open) => {
    const opened = `class Opened {
      #store;
      constructor(store) { this.#store = store; }
      get store() { return this.#store; }
      close() { return this.#store.close(); }
      async reopen() { await this.close(); return new Opened(await openIt()); }
    }`;
    await using folder = await folderWith(durableModule(`${opened} ${open}`));
    const { code, stdout } = await folder.run(["./my-store.js", "--case", "lifecycle/durable"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/my sqlite: (\d+) of \1 passed\n/) });
  },
);
