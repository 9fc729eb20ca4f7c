import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StoreCapabilities } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { capabilityTable, expectGenerated } from "@tidemark/test-support/documents";
import { requireServer, sharedServer } from "@tidemark/test-support/servers";
import { type TestedStore, testedStores } from "@tidemark/test-support/stores";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { expect, it, onTestFinished } from "vitest";

const DOCUMENT = fileURLToPath(new URL("../../../../docs/choosing-a-store.md", import.meta.url));

await describeWithTransactions((mongo) => {
  it("docs/choosing-a-store.md says what the stores declare", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidemark-choosing-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await using sqlite = await openSqliteStore({ file: join(folder, "offsets.db") });
    await using replicated = await openMongoStore({ url: mongo.url, onEvent: () => undefined });
    const table = capabilityTable([
      { variant: "SQLite", capabilities: sqlite.capabilities },
      // The servers of the tests do not sync, to be fast.
      { variant: "PostgreSQL", capabilities: { ...(await declaredBy("postgres")), durability: "synced" } },
      { variant: "Redis", capabilities: await declaredBy("redis") },
      { variant: "MongoDB", capabilities: replicated.capabilities },
      { variant: "S3", capabilities: await declaredBy("s3") },
      { variant: "memory", capabilities: await declaredBy("memory") },
    ]);
    await expectGenerated(DOCUMENT, "capabilities", table);
    expect(replicated.capabilities.transactions).toBe(true);
  });
});

async function declaredBy(name: TestedStore["name"]): Promise<StoreCapabilities> {
  const store = testedStores.find((tested) => tested.name === name);
  if (store === undefined) throw new TypeError(`there is no store ${name}`);
  const server = store.server === undefined ? undefined : await sharedServer(store.server);
  if (server !== undefined) requireServer(server);
  const backend = await store.openBackend(server);
  try {
    await using opened = await backend.open();
    return opened.capabilities;
  } finally {
    await backend.close();
  }
}
