import { accessSync, constants, existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Where the install script puts what it builds. */
export function serverCache(): string {
  const base = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return process.env["TIDEMARK_SERVERS_DIR"] || join(base, "tidemark-servers");
}

/** The path of a program on the PATH, or `undefined`. Administrators' folders are looked into too. */
export function findOnPath(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** The path of a program that is named by its path or by its name on the PATH, or `undefined`. */
export function findProgram(nameOrPath: string): string | undefined {
  if (nameOrPath === "") return undefined;
  if (!nameOrPath.includes("/")) return findOnPath(nameOrPath);
  return isExecutable(nameOrPath) ? nameOrPath : undefined;
}

/** The path of a program that the install script built, or `undefined`. */
export function findInCache(name: string): string | undefined {
  const path = join(serverCache(), "bin", name);
  return isExecutable(path) ? path : undefined;
}

/** The folder of Debian's unstable suite that the install script made, if it is whole. */
export function findDebianFolder(): string | undefined {
  const folder = join(serverCache(), "sid");
  return existsSync(join(folder, ".complete")) ? folder : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
