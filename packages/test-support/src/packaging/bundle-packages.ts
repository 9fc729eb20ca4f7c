import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type InputOptions, rolldown } from "rolldown";
import { publicPackages, type WorkspacePackage } from "./workspace.ts";

/** How sources name a program that they start. */
const PROGRAM = /\bprogramFile\("(?<name>[^"]+)"\)/gu;
/** The script of a page, for browsers. */
const PAGE = "**/page/page.ts";
/** What the oldest Node 22 can read: as tsconfig.base.json has it. */
const TARGET = "es2024";
/** What is in a bundle: the package's own files, and what stands for syntax that is newer than the target. */
const OWN = /^[./\0]|^@oxc-project\/runtime\//u;

/**
 * Writes the JavaScript of all packages that are published into their `dist`: a file for each entry point, command and program,
 * and what these share beside them. Whoever uses a package loads a few files instead of a hundred, in half the time.
 */
export async function bundlePackages(): Promise<void> {
  await Promise.all(publicPackages().map(bundlePackage));
}

async function bundlePackage({ folder, manifest }: WorkspacePackage): Promise<void> {
  const sources = join(folder, "src");
  const dist = join(folder, "dist");
  const { exports = {}, bin = {} } = manifest.publishConfig ?? {};
  const published = [...Object.values(exports).map(builtFile), ...Object.values(bin)]
    .filter((file) => file.startsWith("./dist/"))
    .map((file) => file.slice("./dist/".length, -".js".length));
  const programs = globSync("**/*.ts", { cwd: sources }).flatMap((file) => {
    const names = readFileSync(join(sources, file), "utf8").matchAll(PROGRAM);
    return [...names].flatMap(({ groups }) => groups?.["name"] ?? []);
  });
  const pages = globSync(PAGE, { cwd: sources }).map((file) => file.slice(0, -".ts".length));
  const write = async (
    names: readonly string[],
    platform: NonNullable<InputOptions["platform"]>,
  ): Promise<string[]> => {
    await using bundle = await rolldown({
      input: Object.fromEntries(names.map((name) => [name, join(sources, `${name}.ts`)])),
      platform,
      external: (id) => !OWN.test(id),
      transform: { target: TARGET },
      // What is imported for what it does stays.
      treeshake: false,
    });
    const { output } = await bundle.generate({
      ...{ entryFileNames: "[name].js", chunkFileNames: "[name].js" },
      // A stack, and a process that meets a newer file, name what they mean.
      minifyInternalExports: false,
    });
    for (const file of output) if ("code" in file) writeChanged(join(dist, file.fileName), file.code);
    return output.map(({ fileName }) => fileName);
  };
  const written = await Promise.all([
    write([...published, ...programs], "node"),
    ...pages.map((page) => write([page], "browser")),
  ]);
  // What an earlier build left is not published.
  const left = new Set(globSync("**/*.js", { cwd: dist })).difference(new Set(written.flat()));
  for (const file of left) rmSync(join(dist, file), { force: true });
}

/** Processes may be running from it: what is as it was is left alone, and nobody sees half of a file. */
function writeChanged(file: string, code: string): void {
  if (existsSync(file) && readFileSync(file, "utf8") === code) return;
  mkdirSync(dirname(file), { recursive: true });
  const whole = `${file}.${process.pid}`;
  writeFileSync(whole, code);
  renameSync(whole, file);
}

function builtFile(target: unknown): string {
  return typeof target === "string" ? target : (target as { readonly default: string }).default;
}
