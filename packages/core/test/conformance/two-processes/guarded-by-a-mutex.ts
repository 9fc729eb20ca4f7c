import { folderHarness } from "./folder-store.ts";

let last: Promise<unknown> = Promise.resolve();

/** Guarded by what is in this process alone. */
export const storeHarness = folderHarness(import.meta.url, async (_, work) => {
  await (last = last.then(work, work));
});
