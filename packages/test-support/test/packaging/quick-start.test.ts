import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describeWithServer } from "@tidemark/test-support/servers";
import { Client } from "pg";
import { expect, test } from "vitest";
import { samplesOf } from "../../src/packaging/markdown-samples.ts";
import { missingServer, sampleSurroundings } from "../../src/packaging/sample-surroundings.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";

const page = await readFile(join(rootFolder, "docs/quick-start.md"), "utf8");
const program = samplesOf(page).find(({ servers }) => servers.includes("postgres"));
const servers = program?.servers ?? [];
const missing = await missingServer(servers);

/** The fenced blocks of the section, in their order. */
const [twice = "", look = "", table = "", slow = "", kill = ""] = [
  ...(/^## 4\. [^]*?(?=^## )/m.exec(page)?.[0].matchAll(/^```[^\n]*\n([^]*?)^```$/gm) ?? []),
].map(([, text = ""]) => text);

const POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres";

await describeWithServer(missing === "postgres" ? "postgres" : "kafka", () => {
  test("section 4 of docs/quick-start.md, followed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidemark-quick-start-"));
    const surroundings = await sampleSurroundings(servers);
    // Other tests use the server, and the names of the page: these are as long.
    const suffix = randomBytes(4).toString("hex").slice(0, 5);
    const named = (text: string): string =>
      text
        .replaceAll("orders", `o${suffix}`)
        .replaceAll("shipping", `ship${suffix.slice(1)}`)
        .replaceAll("parcels", `parcels_${suffix}`);
    const adapted = (text: string): string => surroundings.adapt(named(text));
    const database = new Client(adapted(`${POSTGRES} 127.0.0.1:9092`).split(" ")[0]);
    await database.connect();
    try {
      await symlink(join(rootFolder, "node_modules"), join(folder, "node_modules"));
      await writeFile(join(folder, "package.json"), '{ "type": "module" }');
      await writeFile(join(folder, "ship.ts"), adapted(program?.text ?? ""));

      const [first, second] = (await inShell(folder, twice)).split(/(?<=shoes; next is 3)\n/);
      expect(first).toBe("shipped from partition 0: hat, coat, shoes; next is 3");
      expect(second).toBe("shipped from partition 0: hat, coat, shoes; next is 6\n");

      const settings = adapted(look.replace(/ # or .*$/m, "")).replace(/^npx .*\n/m, "");
      expect(look).toContain("npx tidemark consumer list --partitions\n");
      const listed = await inShell(folder, `${settings}npx tidemark consumer list --partitions`);
      // Other consumers may make the columns wider.
      const rows = (text: string): string[][] =>
        text
          .split("\n")
          .filter((line) => line.startsWith("CONSUMER") || line.startsWith(named("shipping")))
          .map((line) => line.trim().split(/ {2,}/));
      expect(rows(named(table))).toHaveLength(3);
      expect(rows(listed)).toEqual(rows(named(table)));

      const endless = adapted(program?.text ?? "").replace(/^ +untilEnd: true,.*\n/m, "");
      const before = "  await consumer.transact(";
      expect(endless).toContain(before);
      await writeFile(join(folder, "ship.ts"), endless.replace(before, `${slow}${before}`));
      const [produce = "", start, killed, again] = kill.trimEnd().split("\n");
      expect([start, killed, again]).toEqual([
        expect.stringMatching(/^node ship\.ts & /),
        "sleep 10; kill -9 $!",
        expect.stringMatching(/^node ship\.ts # /),
      ]);
      await inShell(folder, `${settings}${named(produce)}`);
      const shipped = async (): Promise<number> =>
        Number((await database.query(`SELECT count(*) FROM parcels_${suffix}`)).rows[0]?.count);
      await running(folder, "SIGKILL", async () => expect.poll(shipped, { timeout: 60_000 }).toBeGreaterThan(1_000));
      expect(await shipped()).toBeLessThan(10_000);
      // Each of four runs has written three orders of its own.
      await running(folder, "SIGTERM", async () => expect.poll(shipped, { timeout: 120_000 }).toBe(10_012));
      const items = await database.query(`SELECT count(DISTINCT item) FROM parcels_${suffix} WHERE item ~ '^[0-9]+$'`);
      expect(Number(items.rows[0]?.count)).toBe(10_000);
      const [, reset = ""] = /^To read everything again: `([^`]+)`/m.exec(page) ?? [];
      expect(await inShell(folder, `${settings}${named(reset)}`)).toMatch(/^o\w{5} +0 +\d+ +0 +\d+ again +written$/m);
    } finally {
      await database.query(`DROP TABLE IF EXISTS parcels_${suffix}`);
      await database.end();
      await surroundings.close();
      await rm(folder, { recursive: true });
    }
  });
});

const NODE = `'${process.execPath}' --conditions=@tidemark/source --disable-warning=ExperimentalWarning`;

/** Runs commands as a reader would, with the packages of this repository. */
async function inShell(folder: string, commands: string): Promise<string> {
  const tidemark = `'${join(rootFolder, "packages/cli/src/bin.ts")}'`;
  const script = `node() { ${NODE} "$@"; }\nnpx() { shift; ${NODE} ${tidemark} "$@"; }\nset -e\n${commands}`;
  const { stdout } = await promisify(execFile)("bash", ["-c", script], { cwd: folder });
  return stdout;
}

/** Lets the program run until something has happened, and ends it by a signal. */
async function running(folder: string, signal: NodeJS.Signals, until: () => Promise<unknown>): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, ["--conditions=@tidemark/source", "ship.ts"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit");
  try {
    await until();
  } finally {
    child.kill(signal);
    await exited;
  }
}
