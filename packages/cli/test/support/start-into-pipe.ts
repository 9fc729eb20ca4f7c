import { execFile, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { environmentOf, TIDEMARK, type Workspace } from "./workspace.ts";

/** A command whose standard output is a pipe, as a shell makes one: what Node gives its children are sockets. */
export interface IntoPipe extends AsyncDisposable {
  kill(signal: NodeJS.Signals): void;
  /** All that was read of it. */
  text(): string;
  /** Waits for output, and reads at most so many bytes of it. Gives how many; 0: it has ended. */
  read(maxBytes: number): Promise<number>;
  /** Reads on until nothing is left, and nobody writes any more. */
  readRest(): Promise<void>;
  /** Stops reading for good, as `head` does. */
  leave(): Promise<void>;
  /** Resolves when the command has ended. Whatever else it wrote can be read still. */
  readonly ended: Promise<number | null>;
}

/** How many pipes there are: each has a name of its own. */
let pipeCount = 0;

/** Starts a command whose output nobody reads but by {@link IntoPipe.read}. */
export async function startIntoPipe(workspace: Workspace, args: readonly string[]): Promise<IntoPipe> {
  pipeCount += 1;
  const path = join(workspace.folder, `pipe-${pipeCount}`);
  await promisify(execFile)("mkfifo", [path]);
  // Each side waits for the other.
  const [reader, writer] = await Promise.all([open(path, "r"), open(path, "w")]);
  const [program, ...first] = TIDEMARK;
  const child = spawn(program, [...first, ...args], {
    cwd: workspace.folder,
    env: environmentOf(workspace.folder),
    stdio: ["ignore", writer.fd, "ignore"],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  await writer.close();
  let text = "";
  const read = async (maxBytes: number): Promise<number> => {
    const { bytesRead, buffer } = await reader.read(Buffer.alloc(maxBytes), 0, maxBytes);
    text += buffer.toString("utf8", 0, bytesRead);
    return bytesRead;
  };
  return {
    kill: (signal) => void child.kill(signal),
    text: () => text,
    read,
    async readRest() {
      while ((await read(65_536)) > 0);
    },
    leave: () => reader.close(),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
      await reader.close();
    },
  };
}
