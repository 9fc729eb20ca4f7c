import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { entryPointsOf } from "./entry-points.ts";
import { readManifest, type WorkspacePackage } from "./workspace.ts";

/** What an import costs. */
export interface MeasuredSize {
  /** What is imported, in Markdown. */
  readonly what: string;
  /** The package's own code, minified and gzipped, in bytes, without the packages that it imports. */
  readonly bundledBytes: number;
  /** The packages that are installed with it: dependencies and peers, and theirs; but for the optional. */
  readonly otherPackages: number;
  /** What it and they take on a disk, in bytes. */
  readonly installedBytes: number;
}

/** The entry points that run in tests only: nobody bundles them. */
const FOR_TESTS = /\/conformance(\/|$)/;

/** What it costs to use the packages, as they are built and installed in the workspace. */
export async function measureSizes(packages: readonly WorkspacePackage[]): Promise<readonly MeasuredSize[]> {
  const sizes: MeasuredSize[] = [];
  for (const workspacePackage of packages) {
    const installed = await installedWith(workspacePackage.folder);
    const measure = async (what: string, code: string): Promise<void> => {
      sizes.push({ what, bundledBytes: await bundledBytes(code), ...installed });
    };
    for (const { specifier, moduleFile } of entryPointsOf(workspacePackage)) {
      if (FOR_TESTS.test(specifier)) continue;
      if (specifier === "@tidemark/core") {
        for (const name of ["createConsumer", "openOffsetSession"]) {
          await measure(`\`${name}\` of \`${specifier}\``, `export { ${name} } from ${JSON.stringify(moduleFile)};`);
        }
      }
      await measure(`\`${specifier}\``, `export * from ${JSON.stringify(moduleFile)};`);
    }
  }
  return sizes;
}

async function bundledBytes(code: string): Promise<number> {
  const entry = "entry-of-sizes";
  const bundle = await rolldown({
    input: entry,
    platform: "node",
    logLevel: "silent",
    external: (id) => id !== entry && !id.startsWith(".") && !isAbsolute(id),
    plugins: [
      {
        name: entry,
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? code : undefined),
      },
    ],
  });
  try {
    const { output } = await bundle.generate({ format: "esm", minify: true, comments: false });
    const chunks = output.map((chunk) => (chunk.type === "chunk" ? gzipSync(chunk.code, { level: 9 }).length : 0));
    return chunks.reduce((sum, bytes) => sum + bytes, 0);
  } finally {
    await bundle.close();
  }
}

async function installedWith(folder: string): Promise<Pick<MeasuredSize, "otherPackages" | "installedBytes">> {
  const found = new Set<string>();
  const pending = [folder];
  let installedBytes = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {}, exports } = readManifest(next);
    // Of a package of the workspace only what is built is installed.
    const isOurs = JSON.stringify(exports ?? {}).includes("@tidemark/source");
    installedBytes += await bytesBelow(isOurs ? join(next, "dist") : next, isOurs ? /\.(?:js|d\.ts)$/ : /./);
    const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
    for (const name of [...Object.keys(dependencies), ...peers]) pending.push(await findInstalled(next, name));
  }
  return { otherPackages: found.size - 1, installedBytes };
}

async function findInstalled(from: string, name: string): Promise<string> {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = await realpath(join(folder, "node_modules", name)).catch(() => undefined);
    if (found !== undefined) return found;
    if (folder === dirname(folder)) throw new Error(`${name}, which ${from} needs, is not installed`);
  }
}

async function bytesBelow(folder: string, files: RegExp): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules") bytes += await bytesBelow(path, files);
    if (entry.isFile() && files.test(entry.name)) bytes += (await stat(path)).size;
  }
  return bytes;
}
