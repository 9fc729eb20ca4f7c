import { spawnSync } from "node:child_process";
import { findDebianFolder, findInCache, findOnPath, findProgram } from "./find-program.ts";
import { debianProgram, dockerProgram, localProgram, type ServerProgram } from "./server-program.ts";

/** Where a program may come from, in the order in which it is looked for. */
export interface ProgramSources {
  /** A variable that names its path. */
  readonly variable: string;
  /** What it is called on the PATH, if the one there will do. */
  readonly onPath?: string;
  readonly image?: { readonly name: string; readonly program: string };
  /** What it is called in the cache of the install script. */
  readonly cached?: string;
  /** Its path in the Debian folder of the install script. */
  readonly debian?: string;
  /** The install script's target. */
  readonly target: string;
}

/** Finds a program, or says in half a line why there is none and how to get it. */
export function findServerProgram(sources: ProgramSources & { readonly urlVariable: string }): ServerProgram | string {
  const { variable, onPath, image, cached, debian, target, urlVariable } = sources;
  const named = process.env[variable];
  if (named !== undefined) {
    const program = findProgram(named);
    return program === undefined
      ? `${variable} is ${JSON.stringify(named)}, which is no program`
      : localProgram(program);
  }
  const found = onPath === undefined ? undefined : findOnPath(onPath);
  if (found !== undefined) return localProgram(found);
  if (image !== undefined && dockerAnswers()) return dockerProgram(image.name, image.program);
  const built = cached === undefined ? undefined : findInCache(cached);
  if (built !== undefined) return localProgram(built);
  const folder = debian === undefined ? undefined : findDebianFolder();
  if (folder !== undefined && debian !== undefined) {
    return canEnter() ? debianProgram(folder, debian) : `what the install script made for it runs as root only`;
  }
  return howToGet(target, urlVariable, variable);
}

/** The end of a line about a missing server. */
export function howToGet(target: string, ...variables: readonly string[]): string {
  const or = variables.length === 0 ? "" : `, or set ${variables.join(" or ")}`;
  return `it is not installed: run npx -y pnpm@12.21.0 servers:install ${target}${or}`;
}

/** Whether programs of the Debian folder can be run. */
export function canEnter(): boolean {
  return process.getuid?.() === 0 && findOnPath("unshare") !== undefined && findOnPath("chroot") !== undefined;
}

let docker: boolean | undefined;

/** Whether there is a Docker engine on this Linux machine. Asked once: without an engine the client may take its time. */
function dockerAnswers(): boolean {
  docker ??=
    process.platform === "linux" &&
    findOnPath("docker") !== undefined &&
    spawnSync("docker", ["version", "--format", "{{.Server.Os}}"], {
      timeout: 1_000,
      encoding: "utf8",
    }).stdout?.trim() === "linux";
  return docker;
}
