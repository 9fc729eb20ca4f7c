// The other process of a case: opens the harness of a module, and serves commits until its parent is gone.
import { once } from "node:events";
import type { CommitOutcome } from "../../offset-store.ts";
import type { PeerMessage, PeerPlace, PeerTask } from "./peer-process.ts";
import type { StoreHarness } from "./store-harness.ts";

const say = (message: PeerMessage): void => void process.send?.(message);
const [{ module, namespace }] = (await once(process, "message")) as [PeerPlace];
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
