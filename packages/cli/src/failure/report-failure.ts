import { inspect } from "node:util";
import { CommanderError } from "commander";
import { UsageError } from "./usage-error.ts";

/** How the process ends: `0` done, `1` failed, `2` wrong usage. */
export type ExitCode = 0 | 1 | 2;

/**
 * Says why a command failed, as one line `tidemark: …` on standard error, and gives the exit code.
 *
 * @param withStack - Whether to tell where it happened, too; for those who look for a mistake in the program.
 */
export function reportFailure(error: unknown, say: (line: string) => void, withStack: boolean): ExitCode {
  // A reader that has seen enough (`| head`) is no failure.
  if (isBrokenPipe(error)) return 0;
  // Commander has said it already, through the same one line.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  say(`tidemark: ${oneLine(messageOf(error))}`);
  if (withStack) say(inspect(error));
  return error instanceof UsageError ? 2 : 1;
}

/** Tells whether a write failed because nobody reads any more. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === "" ? error.name : error.message;
}

/** Text on one line: a message may come from a server, and scripts read standard error by the line. */
export function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n]+\s*/g, " ");
}
