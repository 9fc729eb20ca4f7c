import { say, tolerateBrokenPipes } from "./context/standard-streams.ts";
import { reportFailure, type ExitCode } from "./failure/report-failure.ts";
import { createProgram } from "./program.ts";

/**
 * Runs the command line on this process's standard streams.
 *
 * @param args - The arguments after the command's name, for example `["topic", "list"]`.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage. What went wrong is said on standard error.
 */
export async function runTidemark(args: readonly string[]): Promise<ExitCode> {
  tolerateBrokenPipes();
  const program = createProgram();
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    const withStack = program.opts<{ verbose?: boolean }>().verbose === true || process.env["DEBUG"] === "tidemark";
    return reportFailure(error, say, withStack);
  }
}
