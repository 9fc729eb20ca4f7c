import assert from "node:assert/strict";

import type { ConformanceCase } from "../conformance-case.ts";
import { keyOf, newToken } from "../outcomes.ts";

const ROUNDS = 12;

/** What becomes of a batch whose caller does not wait for its end. */
export const batchCases: readonly ConformanceCase[] = [
  {
    id: "batch/given-up-halfway",
    clause: "3.1g",
    title: "where batches are atomic, one that its caller gives up, or is cut off from, is written whole or not at all",
    run: async (context) => {
      const writer = await context.openAnother({ timeout: 2_000 });
      const { store: reader } = context;
      const keys = Array.from({ length: Math.min(50, reader.capabilities.maxBatch) }, (_, partition) =>
        keyOf({ partition }),
      );
      const token = newToken();
      await reader.claim(keys.map((key) => ({ key, token, owner: "o" })));
      for (let round = 0; round < ROUNDS; round += 1) {
        const entries = keys.map((key) => ({ key, token, nextOffset: BigInt(round + 1) }));
        const controller = new AbortController();
        const call = writer.store.commit(entries, { signal: controller.signal }).catch(() => undefined);
        // A little later each time, so that some are given up before, some while, and some after they are written.
        for (let turns = 0; turns < round; turns += 1) await new Promise((resolve) => setImmediate(resolve));
        if (round % 2 === 1 && writer.interrupt !== undefined) {
          const restore = await writer.interrupt();
          await call;
          await restore();
        }
        controller.abort();
        await call;
        const outcomes = await reader.fetch(keys);
        const seen = outcomes.map((outcome) => (outcome.status === "found" ? outcome.record.nextOffset : -1n));
        if (!reader.capabilities.atomicBatch) continue;
        assert.equal(new Set(seen).size, 1, `a part of a batch was written: ${String(seen)}`);
      }
    },
  },
];
