import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../dist/tidemark.js", import.meta.url));
const DEADLINE_MS = 60_000;

/** What a finished command left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly pid: number;
  readonly stdin: Writable;
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  stdout(): string;
  stderr(): string;
  /** Resolves when standard output has so many lines; rejects if the command ends before. */
  lines(count: number): Promise<string[]>;
  /** Resolves when standard output ends with these lines; rejects if the command ends before. */
  linesEndWith(text: string): Promise<void>;
  /** Resolves when standard error has this text; rejects if the command ends before. */
  said(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Finished>;
}

/** How a command is run. */
export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A folder of its own for a test: data, settings and working directory. */
export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  run(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Runs a command that must succeed, and gives its standard output. */
  out(command: string, input?: string): Promise<string>;
  start(args: readonly string[], options?: RunOptions): Running;
}

/**
 * Makes a workspace; when it is disposed of, what still runs in it is killed.
 *
 * @param environment - For every command in it.
 */
export async function createWorkspace(environment: Readonly<Record<string, string>> = {}): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-cli-"));
  const running = new Set<Running>();
  const start = (args: readonly string[], options: RunOptions = {}): Running => {
    const child = startTidemark(folder, args, { ...options, environment: { ...environment, ...options.environment } });
    running.add(child);
    void child.ended.then(() => running.delete(child));
    return child;
  };
  const run = async (args: readonly string[], options: RunOptions = {}): Promise<Finished> => {
    const child = start(args, options);
    child.stdin.end(options.input ?? "");
    return await child.ended;
  };
  return {
    folder,
    start,
    run,
    async out(command, input) {
      const finished = await run(command.split(" "), input === undefined ? {} : { input });
      if (finished.code !== 0) throw new Error(`tidemark ${command} exited with ${finished.code}: ${finished.stderr}`);
      return finished.stdout;
    },
    async [Symbol.asyncDispose]() {
      const left = [...running];
      for (const child of left) child.kill("SIGKILL");
      await Promise.all(left.map((child) => child.ended));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The environment of every command that runs in the folder. */
export function environmentOf(folder: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("TIDEMARK_") && name !== "DEBUG" && name !== "NODE_OPTIONS",
  );
  return {
    ...Object.fromEntries(inherited),
    HOME: folder,
    XDG_DATA_HOME: join(folder, "data"),
    XDG_CONFIG_HOME: join(folder, "config"),
  };
}

/** Runs a command by the shell, so that its streams can be redirected: `tidemark consume orders >&-`. */
export async function runInShell({ folder }: Workspace, command: string): Promise<Finished> {
  const quoted = TIDEMARK.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const child = spawn("sh", ["-c", `tidemark() { ${quoted} "$@"; }; ${command}`], {
    cwd: folder,
    env: environmentOf(folder),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, "close"),
  ]);
  return { code: code as number | null, stdout, stderr };
}

/** The program, and its first arguments: as it is published, built at the beginning of a run of the tests. */
export const TIDEMARK = [process.execPath, BIN] as const;

function startTidemark(folder: string, args: readonly string[], options: RunOptions): Running {
  const [program, ...first] = TIDEMARK;
  const child = spawn(program, [...first, ...args], {
    cwd: folder,
    env: { ...environmentOf(folder), ...options.environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A command that ends before it read its input breaks the pipe; what it says about that is what the test looks at.
  child.stdin.on("error", () => {});
  const ended = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return {
    pid: child.pid ?? -1,
    stdin: child.stdin,
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    async lines(count) {
      await until(
        child,
        () => stdout.split("\n").length > count,
        () => `${count} lines`,
        () => ({ stdout, stderr }),
      );
      return stdout.split("\n").slice(0, count);
    },
    linesEndWith: (text) =>
      until(
        child,
        () => `\n${stdout}`.endsWith(`\n${text}`),
        () => JSON.stringify(text),
        () => ({ stdout, stderr }),
      ),
    said: (text) =>
      until(
        child,
        () => stderr.includes(text),
        () => JSON.stringify(text),
        () => ({ stdout, stderr }),
      ),
    kill: (signal) => void child.kill(signal),
    ended,
  };
}

/** Waits for output, looking at each piece that comes: no sleeping, no polling. */
async function until(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  isThere: () => boolean,
  what: () => string,
  seen: () => { readonly stdout: string; readonly stderr: string },
): Promise<void> {
  if (isThere()) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (why: string): void =>
    reject(new Error(`${why} while waiting for ${what()}; ${JSON.stringify(seen())}`));
  const onData = (): void => {
    if (isThere()) resolve();
  };
  const onClose = (): void => fail("the command ended");
  const timer = setTimeout(() => fail("time was up"), DEADLINE_MS);
  child.stdout.on("data", onData);
  child.stderr.on("data", onData);
  child.on("close", onClose);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    child.stdout.off("data", onData);
    child.stderr.off("data", onData);
    child.off("close", onClose);
  }
}

/** Repeats a look, with a command of its own, until it finds something: for what another process does and tells nobody. */
export async function eventually<Found>(look: () => Promise<Found | undefined>, what: string): Promise<Found> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`time was up while waiting for ${what}`);
  }
}

/** Resolves when a position of the store is this one: a line that a reader prints is stored a flush later. */
export async function untilStored({ out }: Workspace, nextOffset: number): Promise<void> {
  await eventually(async () => {
    const positions = JSON.parse(await out("consumer list --partitions -O json")) as { readonly nextOffset?: string }[];
    return positions.some((position) => position.nextOffset === String(nextOffset)) ? true : undefined;
  }, `the position ${nextOffset}`);
}

/** The numbers from one to another, each on a line. */
export function numberedLines(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}\n`).join("");
}

/** A table's rows as arrays of cells; columns stand at least two spaces apart. */
export function cells(table: string): string[][] {
  return table
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
}
