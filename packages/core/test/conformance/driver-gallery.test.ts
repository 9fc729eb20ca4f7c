import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { driverConformanceCases, runDriverCase } from "@tidemark/core/conformance";
import { expectGenerated } from "@tidemark/test-support/documents";
import { describe, it } from "vitest";
import { Left, spoiledHarness, type Surroundings } from "./broken-store.ts";
import { driverGallery } from "./driver-gallery.ts";
import { messageOf } from "./message-of.ts";

function caseOf(id: string): (typeof driverConformanceCases)[number] {
  const found = driverConformanceCases.find((each) => each.id === id);
  assert.ok(found, `there is no case ${id}`);
  return found;
}

describe("each broken driver fails in the case that names its fault, and the verb", () => {
  for (const { fault, caseId, says, spoil, surroundings } of driverGallery) {
    // A case that sets the clock of the process wrong does so for all that run beside it.
    const declare = caseId.endsWith("clock") ? it : it.concurrent;
    declare(`${caseId}: ${fault}`, async () => {
      const left = new Left();
      const harness = spoiledHarness(fault, { driver: spoil, surroundings, left });
      await assert.rejects(runDriverCase(harness, caseOf(caseId)), says);
      assert.deepEqual(left.open, [], "what the next cases would meet");
    });
  }

  it("is told in docs/broken-stores.md", async () => {
    const rows = driverGallery.map(
      ({ fault, caseId, says }) => `| ${fault} | ${caseOf(caseId).clause} | \`${caseId}\` | ${messageOf(says)} |`,
    );
    const table = ["| fault | clause | case | message |", "| --- | --- | --- | --- |", ...rows].join("\n");
    const file = fileURLToPath(new URL("../../../../docs/broken-stores.md", import.meta.url));
    await expectGenerated(file, "driver-gallery", table);
  });

  it("has an exhibit for every case", () => {
    const shown = new Set(driverGallery.map(({ caseId }) => caseId));
    const without = driverConformanceCases.map(({ id }) => id).filter((id) => !shown.has(id));
    assert.deepEqual(without, []);
  });

  for (const kind of ["memory", "reclaiming", "durable", "remote", "transactional"] satisfies readonly Surroundings[]) {
    it.concurrent(`finds nothing wrong with a sound driver, ${kind}`, async () => {
      const sound = spoiledHarness("sound", { surroundings: kind });
      for (const one of driverConformanceCases) await assert.doesNotReject(runDriverCase(sound, one), one.id);
    });
  }
});
