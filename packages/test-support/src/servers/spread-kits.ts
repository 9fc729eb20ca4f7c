import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The kit on a server. */
const KIT = /\/(?:store|source)-[^/]+\/test\/conformance/u;

/** The kits are begun in this part of the files: what waits for long must not be left for the end. */
const PART = 2 / 3;

/**
 * Runs the kit's suites, which wait for their servers most of the time, evenly between the files that keep a processor busy. Vitest
 * begins with the longest files: it would run those few lines last, and all at once.
 */
export class SpreadKits extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    // By the names of the files: it keeps the three servers of S3 apart, whose kits are the slowest.
    const kits = sorted
      .filter(({ moduleId }) => KIT.test(moduleId))
      .toSorted((one, other) => basename(one.moduleId).localeCompare(basename(other.moduleId)));
    const others = sorted.filter(({ moduleId }) => !KIT.test(moduleId));
    const step = Math.max(1, Math.floor((others.length * PART) / kits.length));
    return others.flatMap((file, index) => (index % step === 0 ? [file, ...kits.splice(0, 1)] : [file])).concat(kits);
  }
}
