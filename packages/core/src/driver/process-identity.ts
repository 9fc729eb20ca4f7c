import { readFileSync, readlinkSync } from "node:fs";
import { platform } from "node:process";
import type { ProcessIdentity } from "../member.ts";

/** Where `/proc/PID/stat` has the state and the start time, counted from behind the name, which may contain anything. */
const STATE = 0;
const START_TIME = 19;

let ofThisProcess: { readonly identity: ProcessIdentity | undefined } | undefined;

/** Which process this is; `undefined` where the system does not show it (other systems than Linux). */
export function thisProcess(): ProcessIdentity | undefined {
  ofThisProcess ??= { identity: readThisProcess() };
  return ofThisProcess.identity;
}

/** Whether a process has surely ended: it was on this machine, since its last start, and in this process's own namespace. */
export function hasEnded({ bootId, pidNamespace, pid, startTime }: ProcessIdentity): boolean {
  const own = thisProcess();
  if (own === undefined || own.bootId !== bootId || own.pidNamespace !== pidNamespace) return false;
  try {
    const fields = statOf(String(pid));
    // A zombie is only waited for by its parent: nothing of it runs.
    return fields[START_TIME] !== startTime || fields[STATE] === "Z" || fields[STATE] === "X";
  } catch (error) {
    // Anything else than that there is none says nothing.
    return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
  }
}

function readThisProcess(): ProcessIdentity | undefined {
  if (platform !== "linux") return undefined;
  try {
    // A container may be shown the processes of another namespace: numbers mean nothing there.
    if (readlinkSync("/proc/self") !== String(process.pid)) return undefined;
    const startTime = statOf("self")[START_TIME];
    if (startTime === undefined) return undefined;
    return {
      bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      pidNamespace: readlinkSync("/proc/self/ns/pid"),
      pid: process.pid,
      startTime,
    };
  } catch {
    return undefined;
  }
}

function statOf(pid: string): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text
    .slice(text.lastIndexOf(")") + 2)
    .trimEnd()
    .split(" ");
}
