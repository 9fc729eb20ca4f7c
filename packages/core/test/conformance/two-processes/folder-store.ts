import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreHarness } from "@tidemark/core/conformance";
import { type Change, createOffsetStore, type DriverKey, type OffsetStoreDriver } from "@tidemark/core/driver";
import { fits, nameOf, type Row, soundCapabilities } from "../sound-backend.ts";

/** Lets one piece of work at a time change a folder. */
export type Guard = (folder: string, work: () => Promise<unknown>) => Promise<void>;

/** The harness of a store that keeps all its entries in one file. */
export function folderHarness(module: string, guard: Guard): StoreHarness {
  return {
    name: "folder",
    connection: "embedded",
    module,
    open: async ({ namespace, ...options }) => {
      const folder = join(tmpdir(), `tidemark-two-processes-${namespace}`);
      await mkdir(folder, { recursive: true });
      const store = createOffsetStore(folderDriver(folder, guard), { ...options, namespace });
      return {
        store,
        close: async () => {
          await store.close();
          await rm(folder, { recursive: true, force: true });
        },
      };
    },
  };
}

function folderDriver(folder: string, guard: Guard): OffsetStoreDriver {
  const file = join(folder, "entries.json");
  const rows = async (): Promise<Record<string, Row>> => {
    const text = await readFile(file, "utf8").catch(() => "{}");
    return JSON.parse(text) as Record<string, Row>;
  };
  let count = 0;
  return {
    name: "folder",
    capabilities: { ...soundCapabilities, durability: "process" },
    read: async (keys: readonly DriverKey[]) => {
      const now = Date.now();
      const stored = await rows();
      return { now, entries: keys.map((key) => stored[nameOf(key)]) };
    },
    write: async (changes: readonly Change[]) => {
      let answer: Awaited<ReturnType<OffsetStoreDriver["write"]>> = { changes: [] };
      await guard(folder, async () => {
        const stored = await rows();
        const answers = changes.map((change) => fits(change, stored[nameOf(change.key)]));
        if (answers.includes(false)) {
          answer = { changes: answers.map((isFit) => (isFit ? "skipped" : "conflict")) };
          return;
        }
        const writtenAt = Date.now();
        for (const { key, value, version } of changes) {
          if (value === undefined) delete stored[nameOf(key)];
          else stored[nameOf(key)] = { key, value, version, writtenAt, reclaimAt: Infinity };
        }
        const draft = `${file}.${process.pid}.${(count += 1)}`;
        await writeFile(draft, JSON.stringify(stored));
        await rename(draft, file);
        answer = { writtenAt, changes: undefined };
      });
      return answer;
    },
    list: async function* () {
      const now = Date.now();
      yield { now, entries: Object.values(await rows()).map((row) => ({ key: row.key, entry: row })) };
    },
    classify: (error) => ({ code: "UNKNOWN", retryable: false, message: String(error) }),
    close: async () => undefined,
  };
}
