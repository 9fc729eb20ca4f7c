import { execFile, spawn } from "node:child_process";
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
const [records = ""] = blocksOfSection(3);
const [twice = "", look = "", table = "", slow = "", kill = ""] = blocksOfSection(5);

/** Where the servers are on the page. */
const KAFKA = "kafka://127.0.0.1:9092";
const STORES = { postgres: "postgres://postgres@127.0.0.1:5432/postgres", redis: "redis://127.0.0.1:6379" } as const;

const withoutRedis = await missingServer(["kafka", "redis"]);
await describeWithServer(withoutRedis === "redis" ? "redis" : "kafka", () => {
  test("docs/quick-start.md, followed with Redis", async () => {
    await using reader = await createReader("redis");
    await reader.inShell(records);
    const lines = (await reader.inShell(twice)).split("\n");
    const items = ["hat", "coat", "shoes", "scarf", "gloves", "belt"];
    expect(lines).toEqual([...items.map((item, offset) => `shipped ${item}, record ${offset} of partition 0`), ""]);
  });
});

const withoutPostgres = await missingServer(["kafka", "postgres"]);
await describeWithServer(withoutPostgres === "postgres" ? "postgres" : "kafka", () => {
  test("docs/quick-start.md, followed with PostgreSQL, killed in the middle too", async () => {
    await using reader = await createReader("postgres");
    const { inShell, named, program, suffix } = reader;
    const database = new Client(reader.url);
    await database.connect();
    try {
      await inShell(records);
      const [first, second] = (await inShell(twice)).split(/(?<=shoes; next is 3)\n/);
      expect(first).toBe("shipped from partition 0: hat, coat, shoes; next is 3");
      expect(second).toBe("shipped from partition 0: scarf, gloves, belt; next is 6\n");

      const listed = await inShell(look);
      // Other consumers may make the columns wider.
      const rows = (text: string): string[][] =>
        text
          .split("\n")
          .filter((line) => line.startsWith("CONSUMER") || line.startsWith(named("shipping")))
          .map((line) => line.trim().split(/ {2,}/));
      expect(rows(named(table))).toHaveLength(3);
      expect(rows(listed)).toEqual(rows(named(table)));

      const endless = program.replace(/^ +untilEnd: true,.*\n/m, "");
      const before = "  await consumer.transact(";
      expect(endless).toContain(before);
      await reader.save(endless.replace(before, `${slow}${before}`));
      const [produce = "", start, killed, again] = kill.trimEnd().split("\n");
      expect([start, killed, again]).toEqual([
        expect.stringMatching(/^node ship\.ts & /),
        "sleep 10; kill -9 $!",
        expect.stringMatching(/^node ship\.ts # /),
      ]);
      await inShell(produce);
      const shipped = async (): Promise<number> =>
        Number((await database.query(`SELECT count(*) FROM parcels_${suffix}`)).rows[0]?.count);
      await reader.running("SIGKILL", async () => expect.poll(shipped, { timeout: 60_000 }).toBeGreaterThan(1_000));
      expect(await shipped()).toBeLessThan(10_000);
      await reader.running("SIGTERM", async () => expect.poll(shipped, { timeout: 120_000 }).toBe(10_006));
      const items = await database.query(`SELECT count(DISTINCT item) FROM parcels_${suffix} WHERE item ~ '^[0-9]+$'`);
      expect(Number(items.rows[0]?.count)).toBe(10_000);
      const [, reset = ""] = /^To read everything again: `([^`]+)`/m.exec(page) ?? [];
      expect(await inShell(reset)).toMatch(/^o\w{5} +0 +\d+ +0 +\d+ again +written$/m);
    } finally {
      await database.query(`DROP TABLE IF EXISTS parcels_${suffix}`);
      await database.end();
    }
  });
});

/** The fenced blocks of a section, in their order. */
function blocksOfSection(number: number): readonly string[] {
  const section = new RegExp(`^## ${number}\\. [^]*?(?=^## )`, "m").exec(page)?.[0] ?? "";
  return [...section.matchAll(/^```[^\n]*\n([^]*?)^```$/gm)].map(([, text = ""]) => text);
}

const NODE = `'${process.execPath}' --conditions=@tidemark/source --disable-warning=ExperimentalWarning`;
const TIDEMARK = `'${join(rootFolder, "packages/cli/src/bin.ts")}'`;
/** What a reader types, with the packages of this repository. */
const COMMANDS = `node() { ${NODE} "$@"; }\nnpx() { shift; ${NODE} ${TIDEMARK} "$@"; }\nset -e\n`;

/** A reader with a folder, the program for a store in it, and a shell. */
async function createReader(store: keyof typeof STORES) {
  const sample = samplesOf(page).find(({ servers }) => servers.includes(store));
  const surroundings = await sampleSurroundings(sample?.servers ?? []);
  const [log = "", url = ""] = surroundings.adapt(`${KAFKA} ${STORES[store]}`).split(" ");
  // Other tests use the servers, and the names of the page: these are as long.
  const suffix = randomBytes(4).toString("hex").slice(0, 5);
  const named = (text: string): string =>
    text
      .replaceAll("orders", `o${suffix}`)
      .replaceAll("shipping", `ship${suffix.slice(1)}`)
      .replaceAll("parcels", `parcels_${suffix}`);
  const folder = await mkdtemp(join(tmpdir(), "tidemark-quick-start-"));
  await symlink(join(rootFolder, "node_modules"), join(folder, "node_modules"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  const save = (text: string): Promise<void> => writeFile(join(folder, "ship.ts"), text);
  const program = surroundings.adapt(named(sample?.text ?? ""));
  await save(program);
  let exported = "";
  return {
    ...{ url, suffix, named, program, save },
    /** Runs commands in the reader's one shell: what was exported before is there. */
    async inShell(text: string): Promise<string> {
      const commands = named(text).replaceAll(KAFKA, log).replaceAll(STORES[store], url);
      const { stdout } = await promisify(execFile)("bash", ["-c", COMMANDS + exported + commands], { cwd: folder });
      exported += commands.replaceAll(/^(?!export ).*\n?/gm, "");
      return stdout;
    },
    /** Lets the program run until something has happened, and ends it by a signal. */
    async running(signal: NodeJS.Signals, until: () => Promise<unknown>): Promise<void> {
      const child = spawn(process.execPath, ["--conditions=@tidemark/source", "ship.ts"], {
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
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await surroundings.close();
      await rm(folder, { recursive: true });
    },
  };
}
