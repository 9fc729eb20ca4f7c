import { removeServerFolder, makeServerFolder } from "./server-folder.ts";
import { type ServerCommand, ServerProcess } from "./server-process.ts";

const scopes = new Set<ServerScope>();

/** The folder and the processes of one server: they go together. */
export class ServerScope {
  readonly folder = makeServerFolder();
  /** Whether tests only use the server, and never kill it: what stands still for a while must not count as dead then. */
  readonly isLent: boolean;
  readonly #processes = new Set<ServerProcess>();

  constructor({ isLent = false }: { readonly isLent?: boolean } = {}) {
    this.isLent = isLent;
    if (scopes.size === 0) process.on("exit", leaveNothing);
    scopes.add(this);
  }

  /** Starts a process of the server. */
  start(name: string, command: ServerCommand): ServerProcess {
    const started = ServerProcess.start(this.folder, name, command);
    this.#processes.add(started);
    return started;
  }

  /** Ends all processes and removes the folder. */
  async end(): Promise<void> {
    await Promise.all([...this.#processes].map((process) => process.end()));
    removeServerFolder(this.folder);
    this.#forget();
  }

  /** The same in a process that cannot wait any more. */
  endNow(): void {
    for (const process of this.#processes) process.endNow();
    removeServerFolder(this.folder);
    this.#forget();
  }

  #forget(): void {
    scopes.delete(this);
    if (scopes.size === 0) process.off("exit", leaveNothing);
  }
}

function leaveNothing(): void {
  for (const scope of scopes) scope.endNow();
}
