import { execFile } from "node:child_process";

const TIMEOUT_MS = 30_000;
// Several connections are made one after the other; a program that requests a token takes a while each time.
const REUSED_FOR_MS = 10_000;

/** Runs a program for a token, which is all that it prints. The connections of a moment share one. */
export function tokenOfCommand(
  [program = "", ...args]: readonly string[],
  folder: string,
  timeoutMs = TIMEOUT_MS,
): () => Promise<string> {
  let token: Promise<string> | undefined;
  let askedAt = 0;
  return () => {
    if (token !== undefined && performance.now() - askedAt < REUSED_FOR_MS) return token;
    askedAt = performance.now();
    const asked = run(program, args, folder, timeoutMs);
    // What failed is tried again for the next connection.
    asked.catch(() => {
      if (token === asked) token = undefined;
    });
    token = asked;
    return asked;
  };
}

function run(program: string, args: readonly string[], folder: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // Not `timeout`: it asks with SIGTERM, and then waits for all that hold the output.
    const options = { cwd: folder, signal: AbortSignal.timeout(timeoutMs), killSignal: "SIGKILL" } as const;
    execFile(program, [...args], options, (error, stdout, stderr) => {
      const token = stdout.trim();
      if (error === null && token !== "") return resolve(token);
      // What it printed may be a part of a token; what it complained of is what its user has to know.
      const [complaint = ""] = stderr.trim().split("\n");
      const isLate = error?.name === "AbortError";
      const code = isLate ? `it did not end within ${timeoutMs} ms` : (error?.code ?? "it printed nothing");
      reject(
        new Error(`the token command ${JSON.stringify(program)} failed (${code})${complaint && `: ${complaint}`}`),
      );
    });
  });
}
