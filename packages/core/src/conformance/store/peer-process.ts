import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

import type { OffsetKey } from "../../key.ts";
import type { CommitOutcome } from "../../offset-store.ts";
import type { StoreHarness } from "./store-harness.ts";

/** What the other process is to commit: one position after the other. */
export interface PeerTask {
  readonly key: OffsetKey;
  readonly token: string;
  readonly positions: readonly bigint[];
}

/** What came of it: for each position the status of its answer. */
export type PeerStatuses = readonly CommitOutcome["status"][];

type Message = { readonly statuses: readonly PeerStatuses[] } | { readonly ready: true } | { readonly failed: string };

/** Another process with a client of the same data. */
export interface Peer {
  /** Commits, all tasks side by side. */
  commit(tasks: readonly PeerTask[]): Promise<readonly PeerStatuses[]>;
  close(): Promise<void>;
}

/** Starts a process that imports a module and opens its `storeHarness`. */
export async function startPeer(module: string, namespace: string): Promise<Peer> {
  const call = `servePeer(${JSON.stringify(module)}, ${JSON.stringify(namespace)})`;
  const code = `await (await import(${JSON.stringify(import.meta.url)})).${call};`;
  const child = spawn(process.execPath, [...process.execArgv, "--input-type=module", "--eval", code], {
    stdio: ["ignore", 2, 2, "ipc"],
    serialization: "advanced",
  });
  await next(child);
  return {
    commit: async (tasks) => {
      child.send(tasks);
      const message = await next(child);
      return "statuses" in message ? message.statuses : [];
    },
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

async function next(child: ChildProcess): Promise<Message> {
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
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

/** What the other process does: serves commits until nobody is connected any more. */
export async function servePeer(module: string, namespace: string): Promise<void> {
  const say = (message: Message): void => void process.send?.(message);
  try {
    const { storeHarness } = (await import(module)) as { readonly storeHarness: StoreHarness };
    const opened = await storeHarness.open({ namespace });
    process.on("disconnect", () => void opened.close().finally(() => process.exit()));
    process.on("message", (tasks: readonly PeerTask[]) => {
      Promise.all(
        tasks.map(async ({ key, token, positions }) => {
          const statuses: CommitOutcome["status"][] = [];
          for (const nextOffset of positions) {
            const [outcome] = await opened.store.commit([{ key, token, nextOffset }]);
            statuses.push(outcome?.status ?? "failed");
          }
          return statuses;
        }),
      ).then(
        (statuses) => say({ statuses }),
        (error: unknown) => say({ failed: String(error) }),
      );
    });
    say({ ready: true });
  } catch (error) {
    say({ failed: String(error) });
  }
}
