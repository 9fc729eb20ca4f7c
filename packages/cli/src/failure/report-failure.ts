import { inspect } from "node:util";
import { CommanderError } from "commander";
import { splitHelpAddress } from "../text/help-address.ts";
import { BrokenPipe } from "./broken-pipe.ts";
import { UsageError } from "./usage-error.ts";

/** How the process ends: `0` done, `1` failed, `2` wrong usage. */
export type ExitCode = 0 | 1 | 2;

/**
 * Says why a command failed, as one line `tidemark: …` on standard error, and gives the exit code. Where the error has a
 * code, a last line `help: …` says where that is explained.
 *
 * @param withStack - Whether to print the stack, too; for those who look for a fault in the program.
 */
export function reportFailure(failure: unknown, say: (line: string) => void, withStack: boolean): ExitCode {
  const error = firstOf(failure);
  // A reader that has seen enough (`| head`) is no failure.
  if (error instanceof BrokenPipe) return 0;
  // Commander has said it already, through the same one line.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { text, help } = splitHelpAddress(oneLine(messageOf(error)));
  say(`tidemark: ${text}`);
  if (withStack) say(inspect(failure));
  if (help !== undefined) say(helpLine(help));
  return error instanceof UsageError ? 2 : 1;
}

/** The line that says where an error is explained. */
export function helpLine(address: string): string {
  return `help: ${address}`;
}

/** What went wrong first, where closing what was open failed too. */
function firstOf(failure: unknown): unknown {
  let error = failure;
  // By its name: where Node has no SuppressedError yet, the compiler's stand-in is a plain Error.
  while (error instanceof Error && error.name === "SuppressedError" && "suppressed" in error) error = error.suppressed;
  return error;
}

/** The message of what was thrown, also where it is no `Error`. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== "") return error.message;
  // Node's own, when none of a host's addresses answers.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join("; ");
  return error.name;
}

/** Text on one line: a message may come from a server, and scripts read standard error by the line. */
export function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n]+\s*/g, " ");
}
