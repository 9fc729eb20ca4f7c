import { readFileSync } from "node:fs";

/** Names a process for good: ids come again, but not with the same start. `undefined` if it is gone or cannot be told. */
export function processStart(pid: number): string | undefined {
  const { state, start } = statOf(pid) ?? {};
  return state === "Z" ? undefined : start;
}

/** Whether a process is there and was not stopped by a signal. False where that cannot be told. */
export function isRunning(pid: number): boolean {
  const { state = "Z" } = statOf(pid) ?? {};
  return !["T", "t", "Z"].includes(state);
}

function statOf(pid: number): { readonly state: string | undefined; readonly start: string | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything, also spaces. The state is the third field, the start the twenty-second.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0], start: fields[19] };
  } catch {
    return undefined;
  }
}

/** The ids of the processes that a process started and that still are its children. Empty where that cannot be told. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
