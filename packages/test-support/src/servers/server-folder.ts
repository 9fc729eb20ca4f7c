import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processStart } from "./process-identity.ts";

/** All servers of one user, of all test runs. */
const root = rootIn(tmpdir());
const PROCESSES = "processes";

/** Makes a folder for one server, named after this process so that a later run can tell whether its owner still lives. */
export function makeServerFolder(): string {
  sweepServerFolders();
  const folder = join(root, `${process.pid}-${processStart(process.pid) ?? 0}-${randomBytes(4).toString("hex")}`);
  mkdirSync(join(folder, PROCESSES), { recursive: true, mode: 0o700 });
  return folder;
}

/** Notes a process that works in a folder, so that a later run can end it if this one cannot. */
export function noteServerProcess(folder: string, pid: number): void {
  const start = processStart(pid);
  if (start !== undefined) writeFileSync(join(folder, PROCESSES, String(pid)), start);
}

/** Removes a folder and all in it; its processes are gone or on their way. */
export function removeServerFolder(folder: string): void {
  // A dying process may still write: then the folder is not empty at the first attempt.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
}

/** Ends and removes what was left by owners that are no more, also where workers of this process have their temporary files. */
export function sweepServerFolders(): void {
  for (const each of new Set([root, rootIn(tmpdir())])) sweep(each);
}

function rootIn(folder: string): string {
  return join(folder, `tidemark-servers-${process.getuid?.() ?? "user"}`);
}

function sweep(where: string): void {
  for (const name of namesIn(where)) {
    const [pid, start] = name.split("-");
    const now = processStart(Number(pid));
    // Where starts cannot be told nothing is swept: better a folder too many than somebody's server gone.
    if (start === undefined || start === "0" || now === start) continue;
    const folder = join(where, name);
    for (const process of namesIn(join(folder, PROCESSES))) endNotedProcess(folder, Number(process));
    try {
      removeServerFolder(folder);
    } catch {
      // Another run sweeps it at the same time.
    }
  }
}

function endNotedProcess(folder: string, pid: number): void {
  try {
    const start = readFileSync(join(folder, PROCESSES, String(pid)), "utf8");
    if (processStart(pid) === start) process.kill(pid, "SIGKILL");
  } catch {
    // It is gone by now.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
