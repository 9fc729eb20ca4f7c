import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openTcpProxy, type TcpProxy } from "../faults/index.ts";
import type { Place } from "../campaign/places/place.ts";
import type { MemberTask } from "./member.ts";
import { PROGRAM_OPTIONS } from "../program-options.ts";
import { tiedCommand } from "../servers/tied-command.ts";

const script = fileURLToPath(new URL("member.ts", import.meta.url));

/** A member that runs, behind a line to the store that is its own. */
export class MemberProcess {
  readonly journalFile: string;
  readonly startedAt = Date.now();
  /** When it was first disturbed: killed, frozen or cut off; what it did from shortly before then may be done again. */
  disturbedAt = Number.POSITIVE_INFINITY;
  /** When it went on after it was frozen. */
  readonly thawedAt: number[] = [];
  /** Resolves when its consumer was created, or it ended. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #line: TcpProxy | undefined;

  private constructor(task: MemberTask, line: TcpProxy | undefined, within: readonly string[]) {
    this.journalFile = task.journalFile;
    this.#line = line;
    const [program = process.execPath, ...before] = within.length === 0 ? [] : [...within, process.execPath];
    const [command, args] = tiedCommand(program, [...before, ...PROGRAM_OPTIONS, script, JSON.stringify(task)]);
    this.#child = spawn(command, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.gone = once(this.#child, "exit").then(async () => line?.close());
    this.ready = Promise.race([once(this.#child, "message"), this.gone]).then(() => undefined);
  }

  /** Starts a member, `within` another command where it is to run in a namespace of its own. */
  static async start(task: MemberTask, within: readonly string[] = []): Promise<MemberProcess> {
    const address = addressOf(task.place);
    if (address === undefined) return new MemberProcess(task, undefined, within);
    const protocols = { redis: "resp", mongo: "mongo", postgres: "postgres", s3: "http", sqlite: "http" } as const;
    const { hostname, port } = new URL(address);
    const line = await openTcpProxy({ host: hostname, port: Number(port), protocol: protocols[task.place.kind] });
    return new MemberProcess({ ...task, place: behind(task.place, line) }, line, within);
  }

  /** Whether it can be cut off from the store. */
  get hasLine(): boolean {
    return this.#line !== undefined;
  }

  /** Asks it to end in peace. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.send("stop");
    await this.gone;
  }

  async kill(): Promise<void> {
    this.#disturbed();
    this.#child.kill("SIGKILL");
    await this.gone;
  }

  freeze(): void {
    this.#disturbed();
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.thawedAt.push(Date.now());
    this.#child.kill("SIGCONT");
  }

  /** Cuts it off from the store: all others continue. */
  cut(): void {
    this.#disturbed();
    this.#line?.cut();
  }

  restore(): void {
    this.#line?.restore();
  }

  /** The store is away for all. */
  storeIsAway(): void {
    this.#disturbed();
  }

  #disturbed(): void {
    this.disturbedAt = Math.min(this.disturbedAt, Date.now());
  }
}

function addressOf(place: Place): string | undefined {
  if (place.kind === "sqlite") return undefined;
  return place.kind === "s3" ? place.access.endpoint : place.url;
}

function behind(place: Place, line: TcpProxy): Place {
  const changed = new URL(addressOf(place) ?? "");
  changed.host = `${line.host}:${line.port}`;
  const url = changed.href.replace(/\/$/u, changed.protocol === "http:" ? "" : "/");
  return place.kind === "s3" ? { ...place, access: { ...place.access, endpoint: url } } : ({ ...place, url } as Place);
}
