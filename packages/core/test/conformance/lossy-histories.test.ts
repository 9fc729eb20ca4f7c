import assert from "node:assert/strict";
import { createHistoryRecorder, findHistoryFault, runRandomClients } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { type DriverFault, spoiledHarness } from "./broken-store.ts";
import { lossy, type LossyCounts } from "./lossy-driver.ts";

const CLIENTS = 4;
const CALLS_EACH = 6;

/** Has clients call a store over a driver, and gives what no order of their calls explains. */
async function faultOf(seed: number, driver: DriverFault): Promise<string | undefined> {
  const recorder = createHistoryRecorder();
  const harness = spoiledHarness("lossy", { driver, surroundings: "remote" });
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => {
      const name = `client ${index + 1}`;
      const { store } = await harness.open({
        namespace: "lossy",
        onEvent: (event) => {
          if (event.type === "retry") recorder.repeated(name, event.operation);
        },
      });
      return recorder.record(name, store);
    }),
  );
  const keys = [0, 1].map((partition) => ({ consumer: "c", topic: "t", partition }));
  await runRandomClients(clients, { seed, keys, callsEach: CALLS_EACH });
  try {
    return findHistoryFault(recorder.calls)?.message;
  } catch (error) {
    // Too much without an answer for anybody to say.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

describe("over a network that loses, delays and doubles writes", () => {
  it("what clients are answered comes to the same as some order of their calls (contract 3.1a)", async () => {
    const counts: LossyCounts = { lost: 0, unanswered: 0, late: 0, doubled: 0 };
    for (let seed = 1; seed <= 60; seed += 1) {
      const fault = await faultOf(seed, lossy(seed, counts));
      assert.equal(fault, undefined, `seed ${seed}: ${fault}`);
    }
    for (const [what, count] of Object.entries(counts)) assert.ok(count > 50, `only ${count} writes were ${what}`);
  });

  it("shows in them that a driver compares no versions", async () => {
    const counts: LossyCounts = { lost: 0, unanswered: 0, late: 0, doubled: 0 };
    for (let seed = 1; seed <= 60; seed += 1) {
      const careless: DriverFault = (driver, shared) => {
        const { write } = driver;
        driver.write = (changes, context) =>
          write.call(
            driver,
            changes.map((change) => ({ ...change, expected: "any" as const })),
            context,
          );
        return lossy(seed, counts)(driver, shared);
      };
      if ((await faultOf(seed, careless)) !== undefined) return;
    }
    assert.fail("60 histories over a driver that compares nothing are in order");
  });
});
