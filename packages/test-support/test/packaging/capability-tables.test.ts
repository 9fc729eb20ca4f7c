import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore } from "@tidemark/store-memory";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { capabilityTable, expectGenerated } from "@tidemark/test-support/documents";
import { onTestFinished, test } from "vitest";
import { rootFolder } from "../../src/packaging/workspace.ts";

const readmeOf = (folderName: string): string => join(rootFolder, "packages", folderName, "README.md");

// Stores of servers do this in a test of their own, next to their kit: there the server is.
test("store-memory's README says what the store declares", async () => {
  await using store = createMemoryStore();
  const table = capabilityTable([{ variant: "", capabilities: store.capabilities }]);
  await expectGenerated(readmeOf("store-memory"), "capabilities", table);
});

test("store-sqlite's README says what the store declares", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-capabilities-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "offsets.db");
  await using full = await openSqliteStore({ file });
  await using normal = await openSqliteStore({ file, synchronous: "normal" });
  await using inMemory = await openSqliteStore({ file: ":memory:" });
  const table = capabilityTable([
    { variant: '`synchronous: "full"`', capabilities: full.capabilities },
    { variant: '`"normal"`', capabilities: normal.capabilities },
    { variant: '`file: ":memory:"`', capabilities: inMemory.capabilities },
  ]);
  await expectGenerated(readmeOf("store-sqlite"), "capabilities", table);
});
