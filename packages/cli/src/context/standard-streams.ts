import { fstatSync, writeSync } from "node:fs";
import { styleText } from "node:util";
import { BrokenPipe } from "../failure/broken-pipe.ts";
import { withoutSecrets } from "../text/secrets.ts";
import { visibleLines } from "../text/visible-text.ts";

/** Whether a line stands at the terminal that what comes next takes the place of. */
let isPassingLineShown = false;

/** Whether standard output is a file, once that was asked. */
let isOutputFile: boolean | undefined;

/** Resolves when the text is handed over to the system; rejects with {@link BrokenPipe} when the reader has left. */
export async function writeToStandardOutput(chunk: string | Uint8Array): Promise<void> {
  if (chunk.length === 0) return;
  removePassingLine();
  isOutputFile ??= fstatSync(1).isFile();
  if (isOutputFile) return writeToFile(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.write(chunk, (error) => (error ? reject(isBrokenPipe(error) ? new BrokenPipe() : error) : resolve()));
  await promise;
}

/** On a full disk a file takes a part of what is written, and Node's stream takes that for all of it. */
function writeToFile(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written);
}

function isBrokenPipe(error: Error): boolean {
  return "code" in error && error.code === "EPIPE";
}

/**
 * Says something to the person at the terminal, never a password, and nothing that the terminal takes for a command: names may
 * have any character. Standard output is for data alone.
 */
export function say(line: string): void {
  removePassingLine();
  process.stderr.write(`${withColour(visibleLines(withoutSecrets(line)))}\n`);
}

/** Where the terminal has colour, and `NO_COLOR` is not set, what went wrong is found at a glance. */
function withColour(line: string): string {
  const style = (format: "red" | "yellow") => (start: string) =>
    styleText(format, start, { stream: process.stderr, validateStream: true });
  return line.replace(/^tidemark:/, style("red")).replace(/^warning:/, style("yellow"));
}

/** Shows on the terminal a line that any next line replaces, wherever that comes from. */
export function showPassingLine(line: string): void {
  removePassingLine();
  process.stderr.write(line);
  isPassingLineShown = true;
}

/** Removes it. */
export function removePassingLine(): void {
  if (!isPassingLineShown) return;
  isPassingLineShown = false;
  process.stderr.write("\r\u001b[K");
}

/** How long what was said is waited for after a signal. */
const PATIENCE_AT_END_MS = 500;

let isWaitedFor = true;

/** From now on the end of the process waits only a moment for what was printed: it was asked to stop. */
export function endWithoutWaiting(): void {
  isWaitedFor = false;
}

/** Resolves when everything said is handed over to the system, so that the process may end. */
export async function everythingSaid(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.stderr.write("", () => resolve());
  if (!isWaitedFor) setTimeout(resolve, PATIENCE_AT_END_MS);
  await promise;
}

/**
 * Keeps writes to a terminal that takes nothing (Ctrl-S) from blocking the process: it would get no signal until somebody
 * lets the terminal continue: Node writes to terminals synchronously. Afterwards they wait in the process, as writes to pipes do.
 */
export function hearSignalsWhileWriting(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.isTTY) continue;
    // Node offers no other way; what it may lack one day is left as it is.
    const { _handle: handle } = stream as { _handle?: { setBlocking?: (isBlocking: boolean) => unknown } };
    handle?.setBlocking?.(false);
  }
}

/** Keeps a broken pipe from ending the process with a stack: the write reports it. */
export function tolerateBrokenPipes(): void {
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
}
