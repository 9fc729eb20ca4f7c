import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Lines to be consumed, and what to call them. */
export interface Input {
  readonly name: string;
  readonly lines: readonly string[];
}

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const MAX_LINES = 20_000;

/** Reads the lines of a file. */
export async function linesOf(file: string): Promise<Input> {
  return { name: `from ${file}`, lines: split(await readFile(file, "utf8")) };
}

/** Reads this repository's own history, newest first; where git or the history is missing, its source files. */
export async function gitHistoryOrFiles(): Promise<Input> {
  try {
    const { stdout } = await promisify(execFile)("git", ["log", "--patch", "--no-color"], {
      cwd: repository,
      maxBuffer: 2 ** 30,
    });
    return { name: "from this repository's own git history", lines: split(stdout).slice(0, MAX_LINES) };
  } catch {
    const packages = join(repository, "packages");
    const names = await readdir(packages, { recursive: true });
    const sources = names.filter((name) => name.endsWith(".ts") && !name.includes("node_modules"));
    const texts = await Promise.all(sources.map((name) => readFile(join(packages, name), "utf8")));
    return { name: "from this repository's own source files", lines: texts.flatMap(split).slice(0, MAX_LINES) };
  }
}

function split(text: string): string[] {
  const lines = text.split(/\r?\n/u);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
