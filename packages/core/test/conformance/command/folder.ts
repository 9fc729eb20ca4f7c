import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The command as it is published. */
const BIN = fileURLToPath(new URL("../../../dist/conformance/command/tidemark-conformance.js", import.meta.url));

/** What a finished command left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  /** Resolves when standard error has this text; rejects if the command ends before. */
  said(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Finished>;
}

/** A folder of its own for a test, in which the command runs. */
export interface Folder extends AsyncDisposable {
  readonly path: string;
  run(args: readonly string[]): Promise<Finished>;
  start(args: readonly string[]): Running;
}

/** Makes a folder; when it is disposed of, what still runs in it is killed. */
export async function createFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "tidemark-conformance-"));
  const running = new Map<ChildProcess, Promise<Finished>>();
  const start = (args: readonly string[]): Running => {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: path,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = new Promise<Finished>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
    running.set(child, ended);
    void ended.then(() => running.delete(child));
    return {
      async said(text) {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const look = (): void => (stderr.includes(text) ? resolve() : undefined);
        child.stderr.on("data", look);
        void ended.then(() => reject(new Error(`it ended before it said ${JSON.stringify(text)}: ${stderr}`)));
        look();
        await promise;
      },
      kill: (signal) => void child.kill(signal),
      ended,
    };
  };
  return {
    path,
    start,
    run: (args) => start(args).ended,
    async [Symbol.asyncDispose]() {
      const left = [...running];
      for (const [child] of left) child.kill("SIGKILL");
      await Promise.all(left.map(([, ended]) => ended));
      await rm(path, { recursive: true, force: true });
    },
  };
}
