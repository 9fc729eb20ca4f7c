import { fork, type ChildProcess } from "node:child_process";
import { CLOSING_MS } from "../end-with-parent.ts";
import { programFile } from "../program-file.ts";
import type { Untried } from "../untried.ts";
import type { CaseAnswer, CaseRequest } from "./case-messages.ts";
import { Unusable } from "./failure.ts";

/** What is to be tested, and how. */
export interface CaseRunnerOptions {
  /** The folder that the module is looked up from. */
  readonly folder: string;
  readonly specifier: string;
  /** Milliseconds that one case, or loading the module, may take. */
  readonly timeout: number;
  /** Whether failures come with where they were thrown. */
  readonly verbose: boolean;
}

/** Runs cases in a process of their own. */
export interface CaseRunner {
  /** The store's name, as its harness says. */
  readonly name: string;
  readonly knownDeviations: Readonly<Record<string, string>>;
  /** Opens a store and closes it again. Gives what went wrong, if anything did, and whether the store has a driver to test. */
  tryOpen(): Promise<{ readonly message?: string | undefined; readonly hasDriver: boolean }>;
  /** Runs one case. Gives what went wrong, if anything did, or why it had nothing to look at. */
  run(id: string): Promise<{ readonly message?: string | undefined; readonly untried?: Untried | undefined }>;
  /** Closes what is open and ends the process. A case that runs comes to no end. */
  stop(): Promise<void>;
}

/**
 * Starts a process that runs cases. One that hangs or ends is replaced for the next case.
 *
 * @throws Unusable if the module is of no use.
 */
export async function startCaseRunner(options: CaseRunnerOptions): Promise<CaseRunner> {
  let child = startProcess(options);
  const { name, knownDeviations } = await readyOf(child, options.timeout);
  let isStopped = false;
  let unusable: string | undefined;
  const ask = async (request: CaseRequest): Promise<Done> => {
    if (unusable !== undefined) return { message: unusable };
    if (hasEnded(child)) {
      child = startProcess(options);
      try {
        await readyOf(child, options.timeout);
      } catch (error) {
        if (!(error instanceof Unusable)) throw error;
        unusable = `in a new process, after a case that hung or ended its own: ${error.message}`;
        return { message: unusable };
      }
    }
    const answer = await answerTo(child, request, options.timeout);
    if (answer?.type === "done") return answer;
    if (!isStopped) await end(child);
    if (answer?.type === "broken") return { message: answer.message };
    return {
      message: `not done within ${options.timeout} ms: a call of the store, or of its harness, hangs`,
    };
  };
  return {
    name,
    knownDeviations,
    async tryOpen() {
      const { message, hasDriver = false } = await ask({ type: "try" });
      return { message, hasDriver };
    },
    run: (id) => ask({ type: "run", id }),
    async stop() {
      isStopped = true;
      await end(child);
    },
  };
}

type Done = Pick<CaseAnswer & { readonly type: "done" }, "message" | "untried" | "hasDriver">;

function startProcess({ folder, specifier, verbose }: CaseRunnerOptions): ChildProcess {
  const args = [folder, specifier, verbose ? "verbose" : "", String(process.pid)];
  return fork(programFile("conformance/command/case-process"), args, {
    cwd: folder,
    // What a store prints goes to standard error: standard output is for the report.
    stdio: ["ignore", 2, 2, "ipc"],
  });
}

async function readyOf(child: ChildProcess, timeoutMs: number): Promise<CaseAnswer & { readonly type: "ready" }> {
  const answer = await answerTo(child, undefined, timeoutMs);
  if (answer?.type === "ready") return answer;
  await end(child);
  if (answer?.type === "unusable") throw new Unusable(answer.message);
  const reason = answer?.message ?? `not within ${timeoutMs} ms`;
  throw new Unusable(`the module could not be loaded: ${reason}`);
}

/** The next answer of the process; `undefined` if there is none in time. */
async function answerTo(
  child: ChildProcess,
  request: CaseRequest | undefined,
  timeoutMs: number,
): Promise<CaseAnswer | undefined> {
  const { promise, resolve } = Promise.withResolvers<CaseAnswer | undefined>();
  const onMessage = (message: unknown): void => resolve(message as CaseAnswer);
  const onExit = (code: number | null, signal: string | null): void =>
    resolve({ type: "broken", message: `the process ended in the middle of it, with ${signal ?? `code ${code}`}` });
  const onError = (error: Error): void => resolve({ type: "broken", message: error.message });
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  child.once("message", onMessage).once("exit", onExit).once("error", onError);
  try {
    if (request !== undefined) child.send(request);
    return await promise;
  } finally {
    clearTimeout(timer);
    child.off("message", onMessage).off("exit", onExit).off("error", onError);
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Lets the process close what is open; one that does not is killed. */
async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const timer = setTimeout(() => child.kill("SIGKILL"), CLOSING_MS);
  if (child.connected) child.send({ type: "stop" } satisfies CaseRequest, () => {});
  else child.kill("SIGKILL");
  await ended;
  clearTimeout(timer);
}
