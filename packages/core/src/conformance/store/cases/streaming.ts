import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { ConformanceCase } from "../conformance-case.ts";
import { keyOf } from "../outcomes.ts";

/** Many groups of few: a store may keep a consumer's partitions of a topic in one piece, and read several pieces at once. */
const GROUPS = 300;
const PARTITIONS = 10;
const METADATA_BYTES = 4_096;
const TOTAL_BYTES = GROUPS * PARTITIONS * METADATA_BYTES;
const TOTAL = `${GROUPS * PARTITIONS} records of ${METADATA_BYTES} bytes`;
/** What a listing may hold: generous to those that read on ahead, and half of what there is. */
const ALLOWED_BYTES = TOTAL_BYTES / 2;
const ATTEMPTS = 3;

/** What a listing holds while it is read. */
export const streamingCases: readonly ConformanceCase[] = [
  {
    id: "list/streams",
    clause: "3.12c",
    title: `a listing of ${TOTAL} holds less than half of them when it gives the first`,
    run: async ({ store }) => {
      const keys = Array.from({ length: GROUPS * PARTITIONS }, (_, index) =>
        keyOf({ consumer: `c${index % 4}`, topic: `t${index % GROUPS}`, partition: Math.floor(index / GROUPS) }),
      );
      for (let from = 0; from < keys.length; from += 500) {
        const entries = keys.slice(from, from + 500).map((key, index) => ({
          key,
          nextOffset: 1n,
          // Each its own: one text that many records share takes no more than one of them.
          metadata: `${from + index}`.padEnd(METADATA_BYTES, "x"),
        }));
        const outcomes = await store.reset(entries);
        assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(["reset"]));
      }
      // Others in this process come and go: what is held in every attempt is the listing's.
      let heldBytes = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < ATTEMPTS && heldBytes > ALLOWED_BYTES; attempt += 1) {
        let whileListing = 0;
        for await (const record of store.list()) {
          assert.equal(record.metadata.length, METADATA_BYTES);
          whileListing = usedBytes();
          break;
        }
        heldBytes = Math.min(heldBytes, whileListing - usedBytes());
      }
      const mebibytes = (heldBytes / 2 ** 20).toFixed(1);
      assert.ok(
        heldBytes <= ALLOWED_BYTES,
        `a listing of ${TOTAL} held ${mebibytes} MiB at its first record: read it page by page`,
      );
    },
  },
];

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
