import { readFile, writeFile } from "node:fs/promises";
import { type MeasuredSize, measureSizes } from "./measure-sizes.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** How the page of sizes is met. */
export interface SizeOptions {
  /** The page; its table stands between `<!-- sizes -->` and `<!-- /sizes -->`. */
  readonly page: string;
  /** Whether figures that no longer hold are written again, instead of complained of. */
  readonly update: boolean;
}

/** A column of the table. A figure is a limit, a little above what was measured: small changes leave the page alone. */
interface Column {
  readonly heading: string;
  measured(size: MeasuredSize): number;
  /** Figures are whole multiples of this. */
  readonly step: number;
  /** The part of what was measured that a new figure is above it at least. */
  readonly room: number;
}

const COLUMNS: readonly Column[] = [
  { heading: "own code, kB", measured: ({ bundledBytes }) => bundledBytes / 1000, step: 0.5, room: 0.05 },
  { heading: "other packages", measured: ({ otherPackages }) => otherPackages, step: 1, room: 0 },
  { heading: "installed, MB", measured: ({ installedBytes }) => installedBytes / 1_000_000, step: 0.5, room: 0.05 },
];

const UPDATE = "TIDEMARK_UPDATE_DOCUMENTS=1 npx -y pnpm@12.21.0 run check:packages";

/** Compares what the packages cost with the page. They have to be built and installed. */
export async function checkSizes(
  packages: readonly WorkspacePackage[],
  { page, update }: SizeOptions,
): Promise<readonly string[]> {
  const text = await readFile(page, "utf8");
  const [, before = "", table = "", after = ""] =
    /^([\s\S]*<!-- sizes -->\n)([\s\S]*)(<!-- \/sizes -->[\s\S]*)$/.exec(text) ?? [];
  if (after === "") return [`${page} has no table between <!-- sizes --> and <!-- /sizes -->`];
  const stated = figuresOf(table);
  const complaints: string[] = [];
  const rows: string[] = [];
  for (const size of await measureSizes(packages)) {
    const cells = COLUMNS.map((column, index) => {
      const [measured, figure] = [column.measured(size), stated.get(size.what)?.[index]];
      if (figure !== undefined && holds(measured, figure, column)) return figure;
      const rounded = Math.round(measured * 100) / 100;
      complaints.push(`${size.what}, ${column.heading}: measured ${rounded}, stated ${figure ?? "nothing"}`);
      return Math.ceil((measured * (1 + column.room)) / column.step) * column.step;
    });
    stated.delete(size.what);
    rows.push(`| ${[size.what, ...cells].join(" | ")} |`);
  }
  for (const what of stated.keys()) complaints.push(`${what} is stated, and is nothing that is published`);
  if (complaints.length === 0) return [];
  if (!update) {
    const why = "A figure is a limit; one that is far too high is no help either. If the change is worth it, run:";
    return [`${page} is not what is built:\n${complaints.join("\n")}\n${why} ${UPDATE}`];
  }
  const head = ["import", ...COLUMNS.map(({ heading }) => heading)];
  const lines = [`| ${head.join(" | ")} |`, `| --- |${" ---: |".repeat(COLUMNS.length)}`, ...rows];
  await writeFile(page, `${before}\n${lines.join("\n")}\n\n${after}`);
  return [];
}

function holds(measured: number, figure: number, { step }: Column): boolean {
  return measured <= figure && measured > figure * 0.85 - step;
}

function figuresOf(table: string): Map<string, readonly number[]> {
  const rows = table.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return new Map(
    rows
      .filter(([, what = ""]) => what.startsWith("`"))
      .map(([, what = "", ...cells]) => [what, cells.slice(0, COLUMNS.length).map(Number)]),
  );
}
