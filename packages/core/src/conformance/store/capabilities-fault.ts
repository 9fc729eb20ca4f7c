import { isDeepStrictEqual } from "node:util";

import type { StoreCapabilities } from "../../offset-store.ts";

/** What is wrong with the capabilities of a store, or of its driver; `undefined` where nothing is. */
export function capabilitiesFault(capabilities: StoreCapabilities): string | undefined {
  const { atomicBatch, transactions, durability, expiry, maxBatch } = capabilities;
  const rules: readonly (readonly [boolean, string])[] = [
    [Object.isFrozen(capabilities), "must be frozen: Object.freeze({ ... })"],
    [
      typeof expiry === "object" && Object.isFrozen(expiry),
      "must have `expiry`, frozen by itself: Object.freeze({ ... })",
    ],
    [isDeepStrictEqual(JSON.parse(JSON.stringify(capabilities)), capabilities), "must be plain data"],
    [typeof atomicBatch === "boolean", "must have `atomicBatch`, true or false"],
    [typeof transactions === "boolean", "must have `transactions`, true or false"],
    [
      ["none", "process", "synced", "async"].includes(durability),
      'must have `durability`: "none", "process", "synced" or "async"',
    ],
    [["native", "on-write"].includes(expiry?.reclaim), 'must have `expiry.reclaim`: "native" or "on-write"'],
    [
      expiry?.granularityMs > 0 && expiry.granularityMs <= 1_000,
      "must have `expiry.granularityMs`, above 0 and up to 1,000",
    ],
    [Number.isSafeInteger(maxBatch) && maxBatch > 0, "must have `maxBatch`, a whole number above 0"],
  ];
  return rules.find(([isKept]) => !isKept)?.[1];
}
