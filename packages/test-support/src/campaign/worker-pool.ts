import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tiedCommand } from "../servers/tied-command.ts";
import type { Life } from "./life.ts";
import type { WorkerMessage, WorkerState } from "./worker.ts";
import { PROGRAM_OPTIONS } from "../program-options.ts";

const program = fileURLToPath(new URL("worker.ts", import.meta.url));

/** Starts worker processes ahead of time, so that a round does not wait for them. */
export class WorkerPool implements AsyncDisposable {
  readonly #kind: string;
  readonly #folder: string;
  readonly #spare: number;
  readonly #waiting: StartedWorker[] = [];
  readonly #all = new Set<StartedWorker>();
  readonly #onExit = (): void => this.#killAll();

  /** @param spare - how many wait for a task. */
  constructor(kind: string, folder: string, spare: number) {
    this.#kind = kind;
    this.#folder = folder;
    this.#spare = spare;
    process.on("exit", this.#onExit);
    this.#fill();
  }

  /** Gives a task to a process that waits. */
  async live(message: Extract<WorkerMessage, { type: "live" }>): Promise<Life> {
    let worker = this.#waiting.shift() ?? this.#start();
    while (worker.isGone) worker = this.#waiting.shift() ?? this.#start();
    await worker.loaded;
    const life = worker.live(message, () => this.#waiting.push(worker));
    this.#fill();
    return life;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#onExit);
    this.#killAll();
    await Promise.all([...this.#all].map((worker) => worker.gone));
  }

  #fill(): void {
    while (this.#waiting.length < this.#spare) this.#waiting.push(this.#start());
  }

  #start(): StartedWorker {
    const worker = new StartedWorker(this.#kind, this.#folder);
    this.#all.add(worker);
    void worker.gone.then(() => this.#all.delete(worker));
    return worker;
  }

  #killAll(): void {
    for (const worker of this.#all) worker.signal("SIGKILL");
  }
}

function newStates(): Readonly<Record<WorkerState, PromiseWithResolvers<void>>> {
  return { loaded: Promise.withResolvers(), ready: Promise.withResolvers(), over: Promise.withResolvers() };
}

class StartedWorker {
  readonly gone: Promise<void>;
  readonly loaded: Promise<void>;
  isGone = false;
  readonly #child: ChildProcess;
  #states = newStates();

  constructor(kind: string, folder: string) {
    const node = [...PROGRAM_OPTIONS, program, kind];
    const [command, args] = tiedCommand(process.execPath, node);
    this.#child = spawn(command, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      // Compiled once for all.
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") },
    });
    this.#child.on("message", (state: WorkerState) => this.#states[state].resolve());
    // Sending to a process that is gone fails; that it is gone is heard of otherwise.
    this.#child.on("error", () => undefined);
    this.gone = once(this.#child, "exit").then(() => {
      this.isGone = true;
      for (const { resolve } of Object.values(this.#states)) resolve();
    });
    this.loaded = this.#states.loaded.promise;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Hands it a task. Killed when that is over by itself, the process is not harmed but released for the next one. */
  live(message: Extract<WorkerMessage, { type: "live" }>, release: () => void): Life {
    this.#states = newStates();
    let isOver = false;
    void this.#states.over.promise.then(() => (isOver = true));
    this.#send(message);
    return {
      worker: message.task.worker,
      ready: this.#states.ready.promise,
      over: this.#states.over.promise,
      kill: async () => {
        if (isOver && !this.isGone) return release();
        this.signal("SIGKILL");
        return this.gone;
      },
      freeze: () => this.signal("SIGSTOP"),
      thaw: () => this.signal("SIGCONT"),
      replaced: () => this.#send({ type: "replaced" }),
      leave: () => this.#send({ type: "leave" }),
    };
  }

  #send(message: WorkerMessage): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}
