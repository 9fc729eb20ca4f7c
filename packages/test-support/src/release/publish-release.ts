import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { WorkspaceCopy } from "./workspace-copy.ts";

/** Does what the workflow of releases does once its version pull request is merged; gives what it uploaded, as `core-0.1.0`. */
export async function publishRelease(workspace: WorkspaceCopy): Promise<readonly string[]> {
  await workspace.run("pnpm", ["run", "release:pack"]);
  await workspace.run("pnpm", ["run", "release:publish"]);
  const tarballs = await readdir(join(workspace.folder, ".release/packages"));
  return tarballs.map((name) => name.replace(/^tidemark-(.*)\.tgz$/, "$1")).sort();
}
