import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CommandResult, runCommand } from "../../src/packaging/run-command.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";
import { releaseEnvironment } from "../../src/release/workspace-copy.ts";

/** The package managers that a user may have. */
export type PackageManager = "npm" | "pnpm";

/** A user's project, outside of the workspace. */
export interface UserProject {
  readonly folder: string;
  /** Installs packages as a user does; more arguments may follow. Never rejects because of how it ended. */
  install(...packages: readonly string[]): Promise<CommandResult>;
  /** Runs a program there, with this Node before all others. */
  run(program: string, args: readonly string[], node?: string): Promise<CommandResult>;
}

/** Makes an empty project. */
export async function createUserProject(
  folder: string,
  { manager, npmrc }: { readonly manager: PackageManager; readonly npmrc: string },
): Promise<UserProject> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ name: "user", private: true, type: "module" })}\n`);
  await writeFile(join(folder, ".npmrc"), npmrc);
  // What was published a minute ago is what is to be installed.
  if (manager === "pnpm") await writeFile(join(folder, "pnpm-workspace.yaml"), "minimumReleaseAge: 0\n");
  const start = (program: string, args: readonly string[], added: NodeJS.ProcessEnv): Promise<CommandResult> =>
    runCommand(program, args, {
      cwd: folder,
      // A registry of another day may have had the same port: what is remembered of it is asked for anew.
      env: { ...releaseEnvironment(), npm_config_prefer_offline: "false", ...added },
    });
  return {
    folder,
    install: (...packages) => start(manager, [manager === "npm" ? "install" : "add", ...packages], {}),
    run: (program, args, node = process.execPath) =>
      start(program, args, {
        PATH: [dirname(node), process.env["PATH"]].join(delimiter),
        // The command's own place for its files.
        XDG_DATA_HOME: folder,
        XDG_CONFIG_HOME: folder,
      }),
  };
}

/** Copies a program of the folder `project` into a user's project. */
export async function copyProgram(name: string, target: string): Promise<void> {
  await copyFile(fileURLToPath(new URL(`project/${name}`, import.meta.url)), target);
}

/** Type checks a project as strictly as one can, with the workspace's compiler. */
export async function typeCheck(
  project: UserProject,
  files: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<CommandResult> {
  const compilerOptions = {
    target: "es2024",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    // The declarations of the packages are checked too, and those of what they need.
    skipLibCheck: false,
    types: ["node"],
    ...options,
  };
  const config = `tsconfig.${String(options["moduleResolution"])}.json`;
  await writeFile(join(project.folder, config), JSON.stringify({ compilerOptions, files }));
  return project.run(process.execPath, [join(rootFolder, "node_modules/typescript/bin/tsc"), "-p", config]);
}
