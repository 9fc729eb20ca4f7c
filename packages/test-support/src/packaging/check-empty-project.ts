import { cp, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { entryPointsOf } from "./entry-points.ts";
import { runCommand } from "./run-command.ts";
import { rootFolder, type WorkspacePackage } from "./workspace.ts";

/** A package as it would be installed. */
export interface UnpackedPackage {
  readonly workspacePackage: WorkspacePackage;
  /** The folder with what was in its tarball. */
  readonly unpacked: string;
}

/** How users have TypeScript find modules. */
const RESOLUTIONS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "preserve", moduleResolution: "bundler" },
};

/**
 * Type checks a file that imports every entry point, in a project that has the packages, what they tell to install with them
 * (their peers) and the types of Node, and nothing else; declarations are checked too (`skipLibCheck: false`). A type of
 * what a package brings along by itself is an error there: its declarations may need more that nobody told to install.
 *
 * @param folder - An empty folder outside of the workspace; it gets the project.
 */
export async function checkEmptyProject(
  packages: readonly UnpackedPackage[],
  folder: string,
): Promise<readonly string[]> {
  const modules = join(folder, "node_modules");
  await link(join(rootFolder, "node_modules/@types/node"), join(modules, "@types/node"));
  for (const { workspacePackage, unpacked } of packages) {
    const { name = "", peerDependencies = {} } = workspacePackage.manifest;
    await cp(unpacked, join(modules, name), { recursive: true });
    for (const peer of Object.keys(peerDependencies)) {
      if (packages.some((other) => other.workspacePackage.manifest.name === peer)) continue;
      await link(join(workspacePackage.folder, "node_modules", peer), join(modules, peer));
    }
  }
  const specifiers = packages.flatMap(({ workspacePackage }) => entryPointsOf(workspacePackage));
  const imports = specifiers.map(({ specifier }, index) => `export * as module${index} from "${specifier}";\n`);
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "main.ts"), imports.join(""));
  const complaints: string[] = [];
  for (const [name, resolution] of Object.entries(RESOLUTIONS)) {
    const compilerOptions = {
      ...resolution,
      target: "es2022",
      types: ["node"],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    };
    await writeFile(join(folder, `tsconfig.${name}.json`), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    const tsc = join(rootFolder, "node_modules/.bin/tsc");
    const { code, output } = await runCommand(tsc, ["-p", `tsconfig.${name}.json`], { cwd: folder });
    if (code !== 0) complaints.push(`tsc in an empty project (${name}): ${output.trim()}`);
  }
  return complaints;
}

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // Two packages may have the same peer.
  await symlink(await realpath(target), path).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  });
}
