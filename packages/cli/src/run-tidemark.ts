import { say, tolerateBrokenPipes } from "./context/standard-streams.ts";
import { reportFailure, type ExitCode } from "./failure/report-failure.ts";
import { createProgram } from "./program.ts";
import { learnSecretFields, learnSecrets, learnUrl } from "./text/secrets.ts";

/**
 * Runs the command line on this process's standard streams.
 *
 * @param args - The arguments after the command's name, for example `["topic", "list"]`.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage. What went wrong is said on standard error.
 */
export async function runTidemark(args: readonly string[]): Promise<ExitCode> {
  tolerateBrokenPipes();
  // Before anything is said: wrong usage may be a URL in the wrong place.
  for (const text of [...args, process.env["TIDEMARK_STORE"], process.env["TIDEMARK_LOG"]]) {
    learnSecrets(text);
    learnUrl(text);
  }
  learnSecretFields({ password: process.env["TIDEMARK_KAFKA_PASSWORD"]?.trim() });
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return reportFailure(error, say, isVerbose(args));
  }
}

/** Whether an error's stack is to be printed too: `--verbose`, or `DEBUG=tidemark` in the environment. */
export function isVerbose(args: readonly string[]): boolean {
  return args.includes("--verbose") || process.env["DEBUG"] === "tidemark";
}
