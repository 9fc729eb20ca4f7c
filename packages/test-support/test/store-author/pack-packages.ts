import { join } from "node:path";
import { runCommand } from "../../src/packaging/run-command.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";

/** What `npm install @tidemark/core @tidemark/cli` would fetch, core first. */
const FOLDERS = ["core", "reset-policies", "store-memory", "store-sqlite", "source-local", "cli"];

/** Packs the command line, and what it needs of ours, as a release would; gives the tarballs' paths. */
export async function packPackages(into: string): Promise<readonly string[]> {
  const folders = FOLDERS.map((name) => join(rootFolder, "packages", name));
  await succeed(process.execPath, [join(rootFolder, "node_modules/typescript/bin/tsc"), "-b", ...folders], rootFolder);
  return Promise.all(
    folders.map(async (folder, index) => {
      const tarball = join(into, `${FOLDERS[index]}.tgz`);
      await succeed("pnpm", ["pack", "--out", tarball], folder);
      return tarball;
    }),
  );
}

async function succeed(program: string, args: readonly string[], cwd: string): Promise<void> {
  const { code, output } = await runCommand(program, args, { cwd });
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} exited with ${code}:\n${output}`);
}
