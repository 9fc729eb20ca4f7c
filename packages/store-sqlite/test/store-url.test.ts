import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { storeUrl } from "../src/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";

describe("storeUrl", () => {
  it("opens absolute and relative files, with escapes and options", async () => {
    const folder = await temporaryFolder();
    const urls = [
      [`sqlite:${join(folder, "a.db")}`, "a.db", "synced"],
      [`sqlite://${join(folder, "b.db")}?synchronous=normal`, "b.db", "process"],
      [`sqlite:${relative(process.cwd(), join(folder, "c.db"))}?synchronous=full`, "c.db", "synced"],
      [`sqlite:${join(folder, "100%25 %3F.db")}`, "100% ?.db", "synced"],
    ] as const;
    for (const [url, name, durability] of urls) {
      const store = await storeUrl.open(url, { namespace: "n", timeout: 5_000 });
      onTestFinished(() => store.close());
      expect(store).toMatchObject({ name: "sqlite", namespace: "n", capabilities: { durability } });
      expect((await stat(join(folder, name))).isFile()).toBe(true);
    }
  });

  it.each([
    ["sqlite:", "names no file"],
    ["sqlite:?synchronous=full", "names no file"],
    ["sqlite://host/file.db", "names a host"],
    ["sqlite:a.db?sync=full", 'unknown option "sync"'],
    ["sqlite:a.db?synchronous=off", "synchronous must be full or normal"],
    ["sqlite:100%", "write it as %25"],
    ["sqlite:a.db#x", "is not sqlite:FILE"],
    ["memory:", "is not sqlite:FILE"],
  ])("refuses %s", async (url, message) => {
    const opening = storeUrl.open(url);
    await expect(opening).rejects.toThrow(TypeError);
    await expect(opening).rejects.toThrow(message);
  });
});
