import { copyFile, mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "../packaging/run-command.ts";
import { rootFolder } from "../packaging/workspace.ts";

/** A copy of the workspace, as it is on the disk but for what git ignores, in which a release can be made. */
export interface WorkspaceCopy {
  readonly folder: string;
  /** Runs a program there; gives its output. Rejects if it fails. */
  run(program: string, args: readonly string[]): Promise<string>;
  /** Records what was changed, as a merge to main would. */
  commit(message: string): Promise<void>;
}

/** Copies the workspace and installs its dependencies. */
export async function copyWorkspace(folder: string, npmrc: string): Promise<WorkspaceCopy> {
  await mkdir(folder);
  const here = openWorkspaceCopy(rootFolder);
  const copy = openWorkspaceCopy(folder);
  const listed = await here.run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  for (const file of listed.split("\0")) {
    // What is deleted is still listed until that is committed.
    if (file === "" || (await stat(join(rootFolder, file)).catch(() => undefined)) === undefined) continue;
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await copyFile(join(rootFolder, file), join(folder, file));
  }
  await writeFile(join(folder, ".npmrc"), npmrc);
  await copy.run("git", ["init", "--quiet", "--initial-branch=main"]);
  // A machine need not say who commits and tags here, nor sign it.
  const settings = { "user.name": "rehearsal", "user.email": "rehearsal@example.invalid", "commit.gpgSign": "false" };
  for (const [name, value] of Object.entries({ ...settings, "tag.gpgSign": "false" })) {
    await copy.run("git", ["config", name, value]);
  }
  await copy.commit("What is released");
  await copy.run("pnpm", ["install", "--frozen-lockfile", "--prefer-offline"]);
  return copy;
}

/** A copy that was made before. */
export function openWorkspaceCopy(folder: string): WorkspaceCopy {
  const env = releaseEnvironment();
  const run = async (program: string, args: readonly string[]): Promise<string> => {
    const { code, output } = await runCommand(program, args, { cwd: folder, env });
    if (code !== 0) throw new Error(`${program} ${args.join(" ")} exited with ${code}:\n${output}`);
    return output;
  };
  const commit = async (message: string): Promise<void> => {
    await run("git", ["add", "--all"]);
    await run("git", ["commit", "--quiet", "--allow-empty", "-m", message]);
  };
  return { folder, run, commit };
}

/** This process's environment without what test runners and a forge's workflow put there. */
export function releaseEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:VITEST|NODE_|TIDEMARK_|ACTIONS_|GITHUB_|FORCE_COLOR)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    CI: "true",
    NO_COLOR: "1",
    npm_config_prefer_offline: "true",
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
  };
}
