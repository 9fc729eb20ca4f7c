// The other process of a case: opens the harness of a module, and serves commits until its parent is gone.
import { once } from "node:events";
import type { CommitOutcome } from "../../offset-store.ts";
import { CLOSING_MS, endWithParent } from "../end-with-parent.ts";
import type { PeerMessage, PeerPlace, PeerTask } from "./peer-process.ts";
import type { OpenedStore, StoreHarness } from "./store-harness.ts";

let opened: OpenedStore | undefined;

const say = (message: PeerMessage): void => void process.send?.(message);
// Also while the module is loaded, or opens: who hangs there is left by a parent that is gone.
process.on("disconnect", () => void end());
endWithParent(Number(process.argv[1]));
const [{ module, namespace }] = (await once(process, "message")) as [PeerPlace];
try {
  const { storeHarness } = (await import(module)) as { readonly storeHarness: StoreHarness };
  const { store } = (opened = await storeHarness.open({ namespace }));
  process.on("message", (tasks: readonly PeerTask[]) => {
    Promise.all(
      tasks.map(async ({ key, token, positions }) => {
        const statuses: CommitOutcome["status"][] = [];
        for (const nextOffset of positions) {
          const [outcome] = await store.commit([{ key, token, nextOffset }]);
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

async function end(): Promise<void> {
  setTimeout(() => process.exit(1), CLOSING_MS);
  await opened?.close();
  process.exit();
}
