import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The kit on a server. */
const KIT = /\/(?:store|source)-[^/]+\/test\/conformance/u;

/**
 * Runs the kit's suites, which wait for their servers most of the time, between the files that keep a processor busy. Vitest
 * begins with the longest files: it would run those few lines last, and all at once.
 */
export class SpreadKits extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const kits = sorted.filter(({ moduleId }) => KIT.test(moduleId));
    const others = sorted.filter(({ moduleId }) => !KIT.test(moduleId));
    return others.flatMap((file, index) => (index % 2 === 0 ? [file, ...kits.splice(0, 1)] : [file])).concat(kits);
  }
}
