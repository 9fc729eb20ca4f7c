import { findOnPath } from "./find-program.ts";

/** A program and its arguments. */
export type CommandLine = readonly [command: string, args: readonly string[]];

/**
 * The command that runs another one, which the system ends with this process: also when that is killed, and when the other is
 * frozen. The same command where the system cannot do it.
 */
export function tiedCommand(command: string, args: readonly string[], endSignal = "SIGKILL"): CommandLine {
  const setpriv = process.platform === "linux" ? findOnPath("setpriv") : undefined;
  if (setpriv === undefined) return [command, args];
  return [setpriv, ["--pdeathsig", endSignal.slice("SIG".length), command, ...args]];
}
