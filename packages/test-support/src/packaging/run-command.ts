import { spawn } from "node:child_process";

/** How a program ended. */
export interface CommandResult {
  /** Its exit code; -1 if a signal ended it. */
  readonly code: number;
  /** What it wrote to both outputs, as it came. */
  readonly output: string;
}

/** How a program is run. */
export interface CommandOptions {
  /** Its working directory. */
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program without a shell and without input. Rejects only if it cannot be started. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  child.on("error", reject);
  child.on("close", (code) => resolve({ code: code ?? -1, output }));
  return promise;
}
