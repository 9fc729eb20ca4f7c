import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { noteServerProcess } from "./server-folder.ts";
import { childrenOf, isRunning, processStart } from "./process-identity.ts";
import { tiedCommand } from "./tied-command.ts";

// Three Java programs on a machine that has much else to do took a minute to begin.
export const PATIENCE_MS = 120_000;
// Signals are heeded at once, except in the midst of what the system does for a process.
const STOP_MS = 1_000;

/** What to run. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What ends it cleanly and at once. Default: SIGKILL. */
  readonly endSignal?: "SIGKILL" | "SIGQUIT" | "SIGTERM";
  /** The container that it runs in: signals go there. */
  readonly container?: string;
}

/** A server could not be started: it ended, or did not answer in time. The message ends with what it said last. */
export class ServerStartError extends Error {
  override readonly name = "ServerStartError";
  /** Whether somebody took its port meanwhile: other ports may do. */
  readonly addressInUse: boolean;

  constructor(what: string, output: string) {
    super(`${what}; its last words:\n${output}`);
    this.addressInUse = /address (?:is )?already in use|EADDRINUSE|address in use/iu.test(output);
  }
}

/** A running process of a server. It dies with this process, however this one ends. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #command: ServerCommand;
  readonly #log: string;
  /** Resolves when it is gone. */
  readonly gone: Promise<void>;

  private constructor(child: ChildProcess, command: ServerCommand, log: string) {
    this.#child = child;
    this.#command = command;
    this.#log = log;
    this.gone = new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
  }

  /** Starts it with its output in `NAME.log` of the folder. */
  static start(folder: string, name: string, command: ServerCommand): ServerProcess {
    const log = join(folder, `${name}.log`);
    const output = openSync(log, "a");
    // Where it cannot be tied to this process the next run sweeps.
    const [program, args] = tiedCommand(command.command, command.args, command.endSignal);
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...command.env },
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    // A server never keeps a process alive that is done.
    child.unref();
    if (child.pid !== undefined) noteServerProcess(folder, child.pid);
    return new ServerProcess(child, command, log);
  }

  get pid(): number | undefined {
    return this.running ? this.#child.pid : undefined;
  }

  get running(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /** What it wrote last. */
  get output(): string {
    try {
      return readFileSync(this.#log, "utf8").trimEnd().split("\n").slice(-12).join("\n");
    } catch {
      return "(nothing)";
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.running) return;
    const { container } = this.#command;
    if (container === undefined) this.#child.kill(signal);
    else spawnSync("docker", ["kill", "--signal", signal, container], { timeout: 10_000 });
  }

  /** Signals it, and then its children: what it has others do stands still with it. */
  signalAll(signal: "SIGSTOP" | "SIGCONT"): void {
    const { pid } = this;
    this.signal(signal);
    for (const child of pid === undefined ? [] : childrenOf(pid)) {
      try {
        process.kill(child, signal);
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** One that stands still begins no other meanwhile, and keeps those that end in the list, which is not whole otherwise. */
  async #standStill(): Promise<void> {
    this.signal("SIGSTOP");
    const { pid } = this;
    const deadline = performance.now() + STOP_MS;
    while (pid !== undefined && this.running && isRunning(pid) && performance.now() < deadline) await pause(1);
  }

  /** Ends it and its children with SIGKILL, and waits until all are gone. */
  async kill(): Promise<void> {
    const { pid } = this;
    if (this.#command.container === undefined) await this.#standStill();
    const children = pid === undefined ? [] : childrenOf(pid).map((child) => ({ child, start: processStart(child) }));
    this.signal("SIGKILL");
    this.#child.ref();
    await this.gone;
    const left = () => children.filter(({ child, start }) => start !== undefined && processStart(child) === start);
    for (const { child } of left()) {
      try {
        process.kill(child, "SIGKILL");
      } catch {
        // It went with its parent.
      }
    }
    while (left().length > 0) await pause(5);
  }

  /** Ends it, cleanly where it knows how to do that at once. */
  async end(): Promise<void> {
    const signal = this.#command.endSignal ?? "SIGKILL";
    if (signal !== "SIGKILL" && this.running) {
      // A paused one would never hear of it.
      this.signalAll("SIGCONT");
      this.signal(signal);
      this.#child.ref();
      await Promise.race([this.gone, pause(2_000)]);
    }
    await this.kill();
  }

  /** Asks it to end and does not wait: for the end of this process. */
  endNow(): void {
    this.signal(this.#command.endSignal ?? "SIGKILL");
  }

  /**
   * Waits until it answers.
   *
   * @throws ServerStartError if it ends first, or does not answer within two minutes.
   */
  async untilReady(what: string, answers: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      if (!this.running) throw new ServerStartError(`${what} ended at its start`, this.output);
      // A wrong server on the same port would answer as well: the process must still be there afterwards.
      if ((await answers().catch(() => false)) && this.running) return;
      if (performance.now() > deadline)
        throw new ServerStartError(`${what} did not answer within ${PATIENCE_MS / 1_000} s`, this.output);
      await pause(10);
    }
  }
}

/** Waits until something about servers is true; `what` names it if it never is. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isTrue().catch(() => false))) {
    if (performance.now() > deadline)
      throw new ServerStartError(`${what} did not come true within ${PATIENCE_MS / 1_000} s`, "(nothing)");
    await pause(20);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
