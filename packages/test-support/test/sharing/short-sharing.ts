import { randomInt } from "node:crypto";
import { TEST_EFFORT } from "@tidemark/test-support";
import { expect, it } from "vitest";
import { serversAreRequired } from "../../src/servers/index.ts";
import { runSharing, type SharingOptions } from "../../src/sharing-campaign/run-sharing.ts";

/** The same with results in transactions of the store's own. */
export function testTransactions(store: SharingOptions["store"]): void {
  it(
    `transact on ${store} by members that are killed, frozen and cut off: every result is there once (contract 5.27a, 8.5b)`,
    { timeout: 300_000 * TEST_EFFORT },
    async ({ skip }) => {
      const seed = randomInt(2 ** 31);
      const result = await runSharing({
        store,
        seed,
        rounds: 5 * TEST_EFFORT,
        partitions: 6,
        members: 3,
        transacts: true,
      });
      if ("missing" in result) {
        if (serversAreRequired()) throw new Error(result.missing);
        return skip(result.missing);
      }
      expect(result.violations, `seed ${seed}, journals in ${result.folder}`).toEqual([]);
      expect(result.records).toBeGreaterThan(20);
    },
  );
}

/** A short campaign of those who share a topic, on one store, in processes. */
export function testShortSharing(store: SharingOptions["store"]): void {
  it(
    `members of one name on ${store} that start, stop, are killed, frozen and cut off: nothing lost, nobody robbed (contract 8.5b, 8.6, 8.7)`,
    { timeout: 300_000 * TEST_EFFORT },
    async ({ skip }) => {
      const seed = randomInt(2 ** 31);
      const result = await runSharing({ store, seed, rounds: 6 * TEST_EFFORT, partitions: 12, members: 3 });
      if ("missing" in result) {
        if (serversAreRequired()) throw new Error(result.missing);
        return skip(result.missing);
      }
      expect(result.violations, `seed ${seed}, journals in ${result.folder}`).toEqual([]);
      expect(result.records).toBeGreaterThan(20);
    },
  );
}
