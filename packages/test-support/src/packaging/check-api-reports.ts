import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { type ApiReport, reportApis } from "./api-report.ts";
import { type EntryPoint, entryPointsOf } from "./entry-points.ts";
import { rootFolder, type WorkspacePackage } from "./workspace.ts";

/** Has the reports written instead of compared. */
const UPDATE = "TIDEMARK_UPDATE_DOCUMENTS=1 npx -y pnpm@12.21.0 run check:packages";

/** How the reports are met. */
export interface ApiReportOptions {
  /** Whether reports that are not right are written, instead of complained of. */
  readonly update: boolean;
}

/**
 * Compares what packages offer with the reports in their `api` folders, one for each entry point. They have to be built.
 * Also says what no report may have: a type that an entry point speaks of and does not export, one of a package that nobody
 * is told to install, an export without documentation.
 */
export async function checkApiReports(
  packages: readonly WorkspacePackage[],
  { update }: ApiReportOptions,
): Promise<readonly string[]> {
  const complaints: string[] = [];
  const reports = await reportApis(packages.flatMap(entryPointsOf));
  for (const [entryPoint, report] of reports) complaints.push(...remarksOn(entryPoint, report, reports));
  for (const workspacePackage of packages) {
    const folder = join(workspacePackage.folder, "api");
    await mkdir(folder, { recursive: true });
    const strays = new Set(await readdir(folder));
    for (const [entryPoint, report] of reports) {
      if (entryPoint.workspacePackage !== workspacePackage) continue;
      const file = `${entryPoint.specifier.replace("@tidemark/", "").replaceAll("/", "-")}.api.md`;
      strays.delete(file);
      complaints.push(...(await compare(join(folder, file), textOf(entryPoint, report), update)));
    }
    for (const stray of strays) {
      if (update) await rm(join(folder, stray));
      else
        complaints.push(
          `${relative(rootFolder, join(folder, stray))} is of no entry point; this removes it: ${UPDATE}`,
        );
    }
  }
  return complaints;
}

function textOf({ specifier }: EntryPoint, { declarations }: ApiReport): string {
  const heading = `# What \`${specifier}\` exports\n`;
  const note = `Written from what is built, and compared with it by \`check:packages\`. This writes it anew:\n\`${UPDATE}\`\n`;
  return `${heading}\n${note}\n\`\`\`ts\n${declarations}\n\`\`\`\n`;
}

async function compare(file: string, wanted: string, update: boolean): Promise<readonly string[]> {
  const found = await readFile(file, "utf8").catch(() => undefined);
  if (found === wanted) return [];
  if (update) {
    await writeFile(file, wanted);
    return [];
  }
  const name = relative(rootFolder, file);
  if (found === undefined) return [`${name} is missing; this writes it: ${UPDATE}`];
  const [before, after] = [found.split("\n"), wanted.split("\n")];
  const changes = [
    ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ];
  const shown = changes.length > 0 ? changes : ["(the same lines in another order)"];
  return [
    `${name} is not what is built:\n${shown.join("\n")}\nIf this is wanted, say so in a changeset, and run: ${UPDATE}`,
  ];
}

function remarksOn(
  { specifier, workspacePackage }: EntryPoint,
  report: ApiReport,
  reports: ReadonlyMap<EntryPoint, ApiReport>,
): readonly string[] {
  const { manifest } = workspacePackage;
  // What is closed in itself is "."; the others may speak of what any of the package exports.
  const others = [...reports].filter(
    ([other]) => other.workspacePackage === workspacePackage && specifier !== manifest.name,
  );
  const reachable = new Set([report, ...others.map(([, other]) => other)].flatMap(({ exported }) => exported));
  const unexported = report.unexported.filter((name) => !reachable.has(name));
  const mayName = (module: string): boolean =>
    module.startsWith("node:") ||
    [manifest.name ?? "", ...Object.keys(manifest.peerDependencies ?? {})].some(
      (name) => module === name || module.startsWith(`${name}/`),
    );
  const foreign = [...report.declarations.matchAll(/^import .* from '([^']+)';$/gm)]
    .map(([, module = ""]) => module)
    .filter((module) => !mayName(module));
  const undocumented = [...report.declarations.matchAll(/^\/\/ @public \(undocumented\)\n(.*)$/gm)];
  return [
    ...unexported.map((name) => `${specifier} speaks of the type ${name}, and does not export it`),
    ...foreign.map((name) => `${specifier} has types of ${name}, which is not among the package's peerDependencies`),
    ...undocumented.map(([, line = ""]) => `${specifier} has an export without documentation: ${line}`),
    ...report.remarks.map((remark) => `${specifier}: ${remark}`),
  ];
}
