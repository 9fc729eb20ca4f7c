import assert from "node:assert/strict";
import { runStoreCase, type StoreHarness, storeConformanceCases } from "@tidemark/core/conformance";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import { storeHarness as byLock } from "./two-processes/guarded-by-a-lock.ts";
import { storeHarness as byMutex } from "./two-processes/guarded-by-a-mutex.ts";

const twoProcesses = storeConformanceCases.find(({ id }) => id === "race/two-processes");

async function run(harness: StoreHarness): Promise<void> {
  assert.ok(twoProcesses);
  await runStoreCase(harness, twoProcesses);
}

describe("a store whose data two processes share", () => {
  // The other process reads the sources as this one does.
  beforeEach(() => void vi.stubEnv("NODE_OPTIONS", "--conditions=@tidemark/source"));
  afterEach(() => void vi.unstubAllEnvs());

  it("loses positions if what guards them is in one process", async () => {
    // In most attempts, and not in each: the two must meet.
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const lost = await run(byMutex).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (lost === undefined) continue;
      assert.match(lost, /was lost/);
      return;
    }
    assert.fail("none of 10 attempts lost anything");
  });

  it("loses none if a lock of the file system guards them", () => run(byLock));

  it("says so if the module cannot be opened in another process", async () => {
    const elsewhere = { ...byLock, module: new URL("two-processes/none.ts", import.meta.url).href };
    await assert.rejects(run(elsewhere), /in the other process: .*none\.ts/);
  });
});
