import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describeWithServer } from "@tidemark/test-support/servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MarkdownSample, samplesOf } from "../../src/packaging/markdown-samples.ts";
import { runCommand } from "../../src/packaging/run-command.ts";
import { missingServer, sampleSurroundings, serverOfSample } from "../../src/packaging/sample-surroundings.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";

/** What a reader may copy: every sample is a module of its own, in a folder of its own. */
interface PageSample extends MarkdownSample {
  readonly title: string;
  readonly folderName: string;
}

const samples = pages().flatMap((page) =>
  samplesOf(readFileSync(page, "utf8")).map((sample): PageSample => {
    const path = relative(rootFolder, page);
    const folderName = `${path.replaceAll(/\W+/g, "-")}-line-${sample.line}`;
    return { ...sample, title: `${path}, line ${sample.line}`, folderName };
  }),
);

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "tidemark-samples-"));
  await symlink(join(rootFolder, "node_modules"), join(scratch, "node_modules"));
  await writeFile(join(scratch, "package.json"), '{ "type": "module" }');
  for (const { folderName, text } of samples) {
    await mkdir(join(scratch, folderName));
    await writeFile(join(scratch, folderName, "sample.ts"), text);
  }
});
afterAll(async () => {
  await rm(scratch, { recursive: true });
});

// Two processes each, one after the other; PGlite alone takes seconds to start.
const RUN_TIMEOUT_MS = 120_000;

test("samples type check", async () => {
  const config = {
    extends: join(rootFolder, "tsconfig.base.json"),
    // A reader's own settings may be laxer than ours: a variable that is only shown is no mistake of a sample.
    compilerOptions: { noEmit: true, noUnusedLocals: false },
    include: ["*/sample.ts"],
  };
  await writeFile(join(scratch, "tsconfig.json"), JSON.stringify(config));
  const { code, output } = await runCommand(join(rootFolder, "node_modules/.bin/tsc"), ["-p", "."], { cwd: scratch });
  expect({ code, output }).toEqual({ code: 0, output: "" });
});

describe("samples run", () => {
  test.each(samples.filter(({ runs, servers }) => runs && servers.length === 0))(
    "$title",
    { timeout: RUN_TIMEOUT_MS },
    async ({ folderName }) => {
      await runTwice(join(scratch, folderName), "sample.ts");
    },
  );
});

const onServers = Map.groupBy(
  samples.filter(({ runs, servers }) => runs && servers.length > 0),
  ({ servers }) => servers.join(" and "),
);
for (const [names, wanting] of onServers) {
  const [first = "", ...others] = names.split(" and ");
  // Where one of them is missing, its name stands in the place of the samples.
  const missing = await missingServer(others);
  await describeWithServer(serverOfSample(missing ?? first), () => {
    test.each(wanting)(`$title on ${names}`, { timeout: RUN_TIMEOUT_MS }, async ({ folderName, text, servers }) => {
      const surroundings = await sampleSurroundings(servers);
      try {
        const folder = join(scratch, folderName);
        await writeFile(join(folder, "adapted.ts"), surroundings.adapt(text));
        await runTwice(folder, "adapted.ts", surroundings.environment);
      } finally {
        await surroundings.close();
      }
    });
  });
}

/** What the first run left behind is the first thing that a reader's second run meets. */
async function runTwice(folder: string, file: string, environment: Readonly<Record<string, string>> = {}) {
  for (const run of ["first", "second"]) {
    const { code, output } = await runCommand(process.execPath, ["--conditions=@tidemark/source", file], {
      cwd: folder,
      env: { ...process.env, ...environment },
    });
    expect(code, `${run} run: ${output}`).toBe(0);
  }
}

function pages(): readonly string[] {
  const folders = ["packages", "docs", "examples", "benchmarks"];
  const below = readdirSync(rootFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && folders.includes(entry.name))
    .flatMap(({ name }) => pagesBelow(join(rootFolder, name)));
  return [...pagesIn(rootFolder), ...below];
}

function pagesBelow(folder: string): readonly string[] {
  const within = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !["node_modules", "dist", "src", "test", "api"].includes(entry.name))
    .flatMap(({ name }) => pagesBelow(join(folder, name)));
  return [...pagesIn(folder), ...within];
}

function pagesIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md") && name !== "CHANGELOG.md")
    .map((name) => join(folder, name));
}
