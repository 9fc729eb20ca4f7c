import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { ConformanceCase } from "../conformance-case.ts";
import { type AnyStore, keyOf } from "../outcomes.ts";

/** Many groups of few: a store may keep a consumer's partitions of a topic in one piece, and read several pieces at once. */
const GROUPS = 150;
const PARTITIONS = 20;
const METADATA_BYTES = 4_096;
const TOTAL_BYTES = GROUPS * PARTITIONS * METADATA_BYTES;
const TOTAL = `${GROUPS * PARTITIONS} records of ${METADATA_BYTES} bytes`;
/** What a listing may hold without being asked further: generous to those that read on ahead, and half of what there is. */
const ALLOWED_BYTES = TOTAL_BYTES / 2;
const ATTEMPTS = 3;

/** What a listing holds while it is read. */
export const streamingCases: readonly ConformanceCase[] = [
  {
    id: "list/streams",
    clause: "3.12c",
    title: `a listing of ${TOTAL} does not hold them all when it gives the first`,
    run: async ({ store }) => {
      const keys = Array.from({ length: GROUPS * PARTITIONS }, (_, index) => {
        const group = Math.floor(index / PARTITIONS);
        return keyOf({ consumer: `c${group % 2}`, topic: `t${group}`, partition: index % PARTITIONS });
      });
      for (let from = 0; from < keys.length; from += 10 * PARTITIONS) {
        const entries = keys.slice(from, from + 10 * PARTITIONS).map((key, index) => ({
          key,
          nextOffset: 1n,
          // Each its own: one text that many records share takes no more than one of them.
          metadata: `${from + index}`.padEnd(METADATA_BYTES, "x"),
        }));
        const outcomes = await store.reset(entries);
        assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(["reset"]));
      }
      // Others in this process come and go: what is held in every attempt is the listing's.
      let ofAll = await heldByListing(store);
      for (let attempt = 1; attempt < ATTEMPTS && ofAll > ALLOWED_BYTES; attempt += 1) {
        ofAll = Math.min(ofAll, await heldByListing(store));
      }
      if (ofAll <= ALLOWED_BYTES) return;
      // A page may be large, and a server that runs in this process has its part of it. But a page does not grow.
      await store.delete({ consumer: "c1" });
      const ofHalf: number[] = [];
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) ofHalf.push(await heldByListing(store));
      const less = ofHalf.toSorted((left, right) => left - right)[Math.floor(ATTEMPTS / 2)] ?? 0;
      assert.ok(
        ofAll - less <= ALLOWED_BYTES / 2,
        `a listing of ${TOTAL} held ${mebibytes(ofAll)} at its first record, and ${mebibytes(less)} of half of them: ` +
          "read it in pages of 1,000 records, or fewer",
      );
    },
  },
];

/** Bytes that a listing holds when it gives its first record, and not any more when it is left. */
async function heldByListing(store: AnyStore): Promise<number> {
  let whileListing = 0;
  for await (const record of store.list()) {
    assert.equal(record.metadata.length, METADATA_BYTES);
    whileListing = usedBytes();
    break;
  }
  return whileListing - usedBytes();
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Bytes in use once nobody's garbage is counted. */
function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

let collector: (() => void) | undefined;

/** Node hides its collector until it is asked for by a flag; contexts that are made later have it. */
function collectGarbage(): void {
  if (collector === undefined) {
    setFlagsFromString("--expose-gc");
    collector = runInNewContext("gc") as () => void;
  }
  collector();
}
