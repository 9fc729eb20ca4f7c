import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { driverConformanceCases, storeConformanceCases } from "@tidemark/core/conformance";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../src/packaging/run-command.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";
import { killWriters } from "./kill-writers.ts";
import { packPackages } from "./pack-packages.ts";
import { blocksOf, type PageBlock } from "./page-blocks.ts";

const page = await readFile(join(rootFolder, "docs", "writing-a-store.md"), "utf8");
const blocks = blocksOf(page);
const programs = blocks.filter(({ language, word }) => language === "sh" && word !== "no-run");

it("docs/writing-a-store.md names each file above its text: what a fence says, no reader sees", () => {
  const files = blocks.filter(({ language, word }) => word !== undefined && language !== "sh");
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter(({ above, word }) => above?.includes(`\`${word}\``) !== true)).toEqual([]);
});

describe("docs/writing-a-store.md, followed in an empty folder", () => {
  const outputs = new Map<PageBlock, string>();
  let scratch = "";
  let folder = "";

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "tidemark-store-author-"));
    folder = join(scratch, "store");
    const home = join(scratch, "home");
    await mkdir(folder);
    const temporary = join(scratch, "tmp");
    await mkdir(home);
    await mkdir(temporary);
    const tarballs = await packPackages(scratch);
    const inherited = Object.entries(process.env).filter(([name]) => !/^(?:VITEST|NODE_|TIDEMARK_)/.test(name));
    const env = {
      ...Object.fromEntries(inherited),
      // The command's own place for its files, and the Node that runs this.
      XDG_DATA_HOME: home,
      XDG_CONFIG_HOME: home,
      TMPDIR: temporary,
      PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
      npm_config_prefer_offline: "true",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_loglevel: "notice",
    };
    for (const block of blocks) {
      if (block.language === "sh" && programs.includes(block)) {
        const { code, output } = await runCommand("bash", ["-c", `set -e\n${adapted(block.text, tarballs)}`], {
          cwd: folder,
          env,
        });
        outputs.set(block, output);
        if ((code === 0) !== (block.word !== "fails")) {
          throw new Error(`the program at line ${block.line} ended with ${code}:\n${output}`);
        }
      } else if (block.word !== undefined && block.language !== "sh") {
        await writeFile(join(folder, block.word), block.text);
      }
    }
  }, 900_000);
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  it("makes a driver and a store that pass every case: by node --test, and by the command", () => {
    expect(outputOf("npm test")).toMatch(new RegExp(`(?:#|ℹ) pass ${driverConformanceCases.length}$`, "m"));
    const length = driverConformanceCases.length + storeConformanceCases.length;
    const report = outputOf("npx tidemark-conformance ./harness.js\n");
    const sum = /^folder: (?<passed>\d+) of (?<of>\d+) passed, (?<without>\d+) not promised$/m.exec(report)?.groups;
    expect(report.match(/^Not tested, because the store does not promise it.*/m)?.[0]).toMatch(
      /^[^:]+: connection: "embedded" \(\d+\), transactions: false \(\d+\), no `begin` \(\d+\)$/,
    );
    expect({ of: Number(sum?.["of"]), tested: Number(sum?.["passed"]) + Number(sum?.["without"]) }).toEqual({
      of: length,
      tested: length,
    });
  });

  it("leaves nothing of the cases behind", async () => {
    expect(await readdir(join(scratch, "tmp"))).not.toContainEqual(expect.stringMatching(/^tidemark-store-folder-/));
  });

  it("shows the failure as it is printed", () => {
    const failing = blocks.findIndex(({ word }) => word === "fails");
    const shown = blocks[failing + 1];
    expect(shown?.language).toBe("text");
    expect(outputOf("sed")).toContain(shown?.text.trim());
  });

  it("makes a package that the command line finds, with nothing in it but its files", async () => {
    const used = outputOf("npx tidemark consume ");
    expect(used).toContain("one\ntwo\n");
    expect(used).toMatch(/^billing +orders +0 +2 /m);
    const packed = [...used.matchAll(/^npm notice [\d.]+k?B (?<file>\S+)$/gm)].map((match) => match.groups?.["file"]);
    const files = await readdir(folder);
    const written = files.filter((name) => /^[^.]+\.js$|^package\.json$/.test(name));
    expect(new Set(packed)).toEqual(new Set(written));
  });

  it("makes no store for a command that only reads", async () => {
    expect(outputOf("folder:./dtaa")).toContain("there is no store at folder:./dtaa");
    expect(await readdir(folder)).not.toContain("dtaa");
  });

  it("names its folders so that a person finds a consumer's topic", async () => {
    const names = await readdir(join(folder, "data"), { recursive: true });
    expect(names).toContainEqual(expect.stringMatching(/^tidemark\.\w+\/entries\/billing\.orders\.0\.\w+$/));
  });

  it("makes a store that loses nothing when processes are killed while they write", async () => {
    const { written, conflicts, lost, damage } = await killWriters(folder, join(scratch, "data"));
    expect({ lost, damage }).toEqual({ lost: [], damage: [] });
    expect(written).toBeGreaterThan(50);
    expect(conflicts).toBeGreaterThan(0);
  });

  function outputOf(text: string): string {
    const block = programs.find((program) => program.text.includes(text));
    if (block === undefined) throw new Error(`no program of the page has ${JSON.stringify(text)}`);
    return outputs.get(block) ?? "";
  }
});

/** The program with what a release would have published. */
function adapted(program: string, tarballs: readonly string[]): string {
  return program.replaceAll(/^npm install .*$/gm, (line) =>
    line.includes("@tidemark/cli")
      ? line.replace("@tidemark/cli", tarballs.slice(1).join(" "))
      : line.replace("@tidemark/core", tarballs[0] ?? ""),
  );
}
