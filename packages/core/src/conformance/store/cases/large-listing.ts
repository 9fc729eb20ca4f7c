import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { identities, keyOf } from "../outcomes.ts";

/** Many groups of few: a store may keep a consumer's partitions of a topic in one piece, and read several pieces at once. */
const GROUPS = 150;
const PARTITIONS = 20;
const METADATA_BYTES = 4_096;

/** A listing whose pages are cut by their size. What it holds of them at a time is a driver's, and tested there. */
export const largeListingCases: readonly ConformanceCase[] = [
  {
    id: "list/large-records",
    clause: "3.12b",
    title: `${GROUPS * PARTITIONS} records of ${METADATA_BYTES} bytes are listed exactly once each, and whole`,
    run: async ({ store }) => {
      const keys = Array.from({ length: GROUPS * PARTITIONS }, (_, index) => {
        const group = Math.floor(index / PARTITIONS);
        return keyOf({ consumer: `c${group % 2}`, topic: `t${group}`, partition: index % PARTITIONS });
      });
      const metadataOf = (index: number): string => `${index}`.padEnd(METADATA_BYTES, "x");
      for (let from = 0; from < keys.length; from += 10 * PARTITIONS) {
        const part = keys.slice(from, from + 10 * PARTITIONS);
        const outcomes = await store.reset(
          part.map((key, index) => ({ key, nextOffset: BigInt(from + index), metadata: metadataOf(from + index) })),
        );
        assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(["reset"]));
      }
      const seen = [];
      for await (const { consumer, topic, partition, nextOffset = -1n, metadata } of store.list()) {
        seen.push({ consumer, topic, partition });
        assert.ok(metadata === metadataOf(Number(nextOffset)), `${topic} ${partition} is not listed as it was written`);
      }
      const missing = keys.length - seen.length;
      assert.equal(
        missing,
        0,
        `${missing} of ${keys.length} large records are missing: is a page cut by its bytes the last?`,
      );
      assert.deepEqual(identities(seen), identities(keys));
    },
  },
];
