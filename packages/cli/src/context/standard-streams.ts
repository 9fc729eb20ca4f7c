import { BrokenPipe } from "../failure/broken-pipe.ts";
import { withoutSecrets } from "../text/secrets.ts";

/** Resolves when the text is handed over to the system; rejects with {@link BrokenPipe} when nobody reads any more. */
export async function writeToStandardOutput(chunk: string | Uint8Array): Promise<void> {
  if (chunk.length === 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.write(chunk, (error) => (error ? reject(isBrokenPipe(error) ? new BrokenPipe() : error) : resolve()));
  await promise;
}

function isBrokenPipe(error: Error): boolean {
  return "code" in error && error.code === "EPIPE";
}

/** Says something to the person at the terminal, never a password. Standard output is for data alone. */
export function say(line: string): void {
  process.stderr.write(`${withoutSecrets(line)}\n`);
}

/** Resolves when everything said is handed over to the system, so that the process may end. */
export async function everythingSaid(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.stderr.write("", () => resolve());
  await promise;
}

/** Keeps a broken pipe from ending the process with a stack: whoever writes learns of it from the write. */
export function tolerateBrokenPipes(): void {
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
}
