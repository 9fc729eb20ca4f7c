import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { readManifest, type WorkspacePackage } from "../../src/packaging/workspace.ts";

const manifest = {
  name: "@tidemark/sound",
  version: "1.0.0",
  license: "Apache-2.0",
  type: "module",
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
};

/** Makes a folder with a small package that is built, and removes it after the test. */
export async function publishedFolder(additions: object = {}): Promise<WorkspacePackage> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-published-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { exports } = manifest;
  await write(folder, "package.json", JSON.stringify({ ...manifest, publishConfig: { exports }, ...additions }));
  await write(folder, "dist/index.js", "export function answer() { return 42; }\n");
  await write(folder, "dist/index.d.ts", "/** Answers. */\nexport declare function answer(): number;\n");
  return { folder, folderName: "sound", manifest: readManifest(folder) };
}

/** Writes a file of it. */
export async function write(folder: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}
