import { execFile } from "node:child_process";

const TIMEOUT_MS = 30_000;
// Several connections are made one after the other; a program that requests a token takes a while each time.
const REUSED_FOR_MS = 10_000;

/** Runs a program for a token, which is all that it prints. The connections of a moment share one. */
export function tokenOfCommand([program = "", ...args]: readonly string[], folder: string): () => Promise<string> {
  let token: Promise<string> | undefined;
  let askedAt = 0;
  return () => {
    if (token !== undefined && performance.now() - askedAt < REUSED_FOR_MS) return token;
    askedAt = performance.now();
    const asked = run(program, args, folder);
    // What failed is tried again for the next connection.
    asked.catch(() => {
      if (token === asked) token = undefined;
    });
    token = asked;
    return asked;
  };
}

function run(program: string, args: readonly string[], folder: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { cwd: folder, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      const token = stdout.trim();
      if (error === null && token !== "") return resolve(token);
      // What it printed may be a part of a token; what it complained of is what its user has to know.
      const [complaint = ""] = stderr.trim().split("\n");
      const code =
        error?.code ?? (error?.killed === true ? `it did not end within ${TIMEOUT_MS} ms` : "it printed nothing");
      reject(
        new Error(`the token command ${JSON.stringify(program)} failed (${code})${complaint && `: ${complaint}`}`),
      );
    });
  });
}
