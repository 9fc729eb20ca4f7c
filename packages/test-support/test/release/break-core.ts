import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Changes a copy of the workspace as a break of the contract would: core keeps the next version of it, and the stores and
 * logs are made for that one. Throws if the sources do not look as they used to.
 */
export function breakCore(workspace: string): void {
  const packages = join(workspace, "packages");
  const core = join(packages, "core/src/contract-version.ts");
  const [, version = ""] = /CONTRACT_VERSION = (\d+);/.exec(readFileSync(core, "utf8")) ?? [];
  const next = Number(version) + 1;
  edit(core, /(CONTRACT_VERSION = )\d+;/, `$1${next};`);
  for (const name of readdirSync(packages).filter((folder) => /^(?:store|source)-/.test(folder))) {
    const sources = join(packages, name, "src");
    const files = readdirSync(sources).map((file) => join(sources, file));
    const withText = (text: string): string | undefined =>
      files.find((file) => file.endsWith(".ts") && readFileSync(file, "utf8").includes(text));
    if (name.startsWith("store-")) {
      edit(
        withText("resolveStoreOptions(options"),
        /resolveStoreOptions\(options(?:, \d+)?\)/,
        `resolveStoreOptions(options, ${next})`,
      );
      edit(
        withText(" implements OffsetStoreDriver"),
        /( implements OffsetStoreDriver.*\{\n)(?: *readonly contractVersion = \d+;\n)?/,
        `$1  readonly contractVersion = ${next};\n`,
      );
    } else {
      edit(
        withText("  validateLogOptionNames(options,"),
        /( {2}validateLogOptionNames\(options, (?:\[.*\]|\w+))(?:, \d+)?\)/,
        `$1, ${next})`,
      );
    }
  }
}

function edit(file: string | undefined, pattern: RegExp, replacement: string): void {
  if (file === undefined) throw new Error(`no file has what ${pattern} is about`);
  const text = readFileSync(file, "utf8");
  if (!pattern.test(text)) throw new Error(`${file} has nothing like ${pattern}`);
  writeFileSync(file, text.replace(pattern, replacement));
}
