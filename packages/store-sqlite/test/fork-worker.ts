import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** Starts one of the scripts in `workers/` in a process of its own, which ends with the running test at the latest. */
export function forkWorker(name: string, ...parameters: string[]): ChildProcess {
  return forkNode(name, [], parameters);
}

/** The same, in a process that dies where it would need a larger heap. */
export function forkSmallWorker(heapMegabytes: number, name: string, ...parameters: string[]): ChildProcess {
  return forkNode(name, [`--max-old-space-size=${heapMegabytes}`], parameters);
}

function forkNode(name: string, options: readonly string[], parameters: readonly string[]): ChildProcess {
  const script = fileURLToPath(new URL(`workers/${name}.ts`, import.meta.url));
  const child = fork(script, parameters, { execArgv: ["--conditions=@tidemark/source", "--no-warnings", ...options] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** The one message that a worker sends. */
export async function answerOf(child: ChildProcess): Promise<unknown> {
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`the worker ended without an answer (${String(code)})`);
  });
  const [message] = await Promise.race([once(child, "message"), failed]);
  return message;
}
