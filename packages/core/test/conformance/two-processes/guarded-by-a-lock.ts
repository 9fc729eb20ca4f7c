import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { folderHarness } from "./folder-store.ts";

/** Guarded by a folder that only one can make. */
export const storeHarness = folderHarness(import.meta.url, async (folder, work) => {
  const lock = join(folder, "lock");
  for (;;) {
    try {
      await mkdir(lock);
      break;
    } catch {
      await delay(1);
    }
  }
  try {
    await work();
  } finally {
    await rmdir(lock);
  }
});
