import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { driverConformanceCases, runDriverCase, runStoreCase, storeConformanceCases } from "@tidemark/core/conformance";
import { it } from "vitest";
import { type DriverFault, spoiledHarness } from "./broken-store.ts";

/** A server far away. */
const CALL_MS = 300;

const far: DriverFault = (driver) => ({
  read: async (...asked) => delay(CALL_MS).then(() => driver.read(...asked)),
  write: async (...asked) => delay(CALL_MS).then(() => driver.write(...asked)),
});

it("a sound driver whose calls take longer than a case's time-out passes it", async () => {
  const found = driverConformanceCases.find(({ id }) => id === "driver/late-create");
  assert.ok(found);
  await runDriverCase(spoiledHarness("far", { driver: far }), found);
});

it("a sound store whose calls take longer than a case's time-out passes it", async () => {
  const found = storeConformanceCases.find(({ id }) => id === "create/outlives-its-limit");
  assert.ok(found);
  await runStoreCase(spoiledHarness("far", { driver: far }), found);
});
