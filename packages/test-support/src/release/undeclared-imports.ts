import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { readManifest } from "../packaging/workspace.ts";

/** Statements at the beginning of a line, as the build writes them, and `import()` anywhere; relative ones are left out. */
const IMPORT = /(?:^(?:import|export)\b[^;"]*\bfrom |^import |\bimport\()"(?<from>[^".][^"]*)"/gm;

/**
 * What the files of an installed package import, types included, and its `package.json` does not ask for: there by chance,
 * or only once a rare path is taken. Each as `dist/file.js: name`.
 */
export function undeclaredImports(folder: string): readonly string[] {
  const { name = "", dependencies, peerDependencies } = readManifest(folder);
  const declared = new Set([name, ...Object.keys({ ...dependencies, ...peerDependencies })]);
  const files = readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => /\.(?:js|d\.ts)$/.test(file))
    .flatMap((file) => {
      const code = withoutComments(readFileSync(join(folder, "dist", file), "utf8"));
      const imported = [...code.matchAll(IMPORT)].map(({ groups }) => groups?.["from"] ?? "");
      return imported
        .filter((specifier) => !isBuiltin(specifier) && !declared.has(packageOf(specifier)))
        .map((specifier) => `dist/${file}: ${packageOf(specifier)}`);
    });
}

function withoutComments(code: string): string {
  return code.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}

function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}
