import assert from "node:assert/strict";
import { testOffsetStore } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { spoiledHarness } from "./broken-store.ts";
import { gallery } from "./gallery.ts";

/** Declares a suite without running it, and gives its tests. */
function testsOf(knownDeviations: Record<string, string>): Map<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  const exhibit = gallery.find(({ caseId }) => caseId === "fence/superseded");
  assert.ok(exhibit);
  testOffsetStore(
    { describe: (_, define) => define(), it: (name, run) => tests.set(name, run) },
    spoiledHarness(exhibit.fault, { store: exhibit.spoil }),
    { knownDeviations },
  );
  return tests;
}

function testOf(tests: Map<string, () => Promise<void>>, id: string): () => Promise<void> {
  const found = [...tests].find(([name]) => name.includes(` ${id}:`));
  assert.ok(found, `there is no test of ${id}`);
  return found[1];
}

describe("known deviations", () => {
  it("pass while the case fails, and are named in the title", async () => {
    const tests = testsOf({ "fence/superseded": "the fence is broken on purpose" });
    assert.ok([...tests.keys()].some((name) => name.includes("KNOWN DEVIATION: the fence is broken on purpose")));
    await testOf(tests, "fence/superseded")();
  });

  it("fail once the case passes", async () => {
    await assert.rejects(testOf(testsOf({ "commit/forward": "no longer true" }), "commit/forward"), /no longer true/);
  });

  it("pass where the case has nothing to look at", () =>
    testOf(testsOf({ "clock/of-the-store": "the clock is the client's" }), "clock/of-the-store")());

  it("fail without a declaration", async () => {
    await assert.rejects(testOf(testsOf({}), "fence/superseded"), assert.AssertionError);
  });

  it("are refused where no such case exists", () => {
    assert.throws(() => testsOf({ "fence/nonsense": "?" }), TypeError);
  });
});
