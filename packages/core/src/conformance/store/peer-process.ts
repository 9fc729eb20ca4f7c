import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import type { OffsetKey } from "../../key.ts";
import type { CommitOutcome } from "../../offset-store.ts";
import { CLOSING_MS } from "../end-with-parent.ts";
import { programFile } from "../program-file.ts";

/** What the other process is to commit: one position after the other. */
export interface PeerTask {
  readonly key: OffsetKey;
  readonly token: string;
  readonly positions: readonly bigint[];
}

/** What came of it: for each position the status of its answer. */
export type PeerStatuses = readonly CommitOutcome["status"][];

/** What the other process opens. */
export interface PeerPlace {
  readonly module: string;
  readonly namespace: string;
}

/** What the other process says. */
export type PeerMessage =
  | { readonly statuses: readonly PeerStatuses[] }
  | { readonly ready: true }
  | { readonly failed: string };

/** Another process with a client of the same data. */
export interface Peer {
  /** Commits, all tasks side by side. */
  commit(tasks: readonly PeerTask[]): Promise<readonly PeerStatuses[]>;
  close(): Promise<void>;
}

/** A process that has been started. */
export interface StartedPeer extends Peer {
  /** Resolves when its client is open. */
  readonly opened: Promise<unknown>;
}

/** Starts a process that imports a module and opens its `storeHarness`. */
export function startPeer(module: string, namespace: string): StartedPeer {
  const program = pathToFileURL(programFile("conformance/store/serve-peer"));
  // As text: this process may itself run a program that it was given so.
  const code = `await import(${JSON.stringify(program)});`;
  const args = [...process.execArgv, "--input-type=module", "--eval", code, String(process.pid)];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", 2, 2, "ipc"],
    serialization: "advanced",
  });
  // Who is in the middle of a call does not hear at once that this process is gone.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  const opened = next(child);
  child.send({ module, namespace } satisfies PeerPlace);
  return {
    opened,
    commit: async (tasks) => {
      child.send(tasks);
      const message = await next(child);
      return "statuses" in message ? message.statuses : [];
    },
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      // One that is not done with closing by then hangs.
      const timer = setTimeout(kill, CLOSING_MS);
      if (child.connected) child.disconnect();
      await ended.finally(() => clearTimeout(timer));
    },
  };
}

async function next(child: ChildProcess): Promise<PeerMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<PeerMessage>();
  const onExit = (code: number | null): void => reject(new Error(`the other process ended with code ${code}`));
  child.once("message", resolve).once("exit", onExit).once("error", reject);
  try {
    const message = await promise;
    if ("failed" in message) throw new Error(`in the other process: ${message.failed}`);
    return message;
  } finally {
    child.off("message", resolve).off("exit", onExit).off("error", reject);
  }
}
