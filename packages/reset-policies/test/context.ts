import type { OffsetResetContext } from "@tidemark/core";

/** What a policy is told, for a log from 10 to 20 unless the test says otherwise. */
export function contextOf(given: Partial<OffsetResetContext> = {}): OffsetResetContext {
  return {
    topic: "orders",
    partition: 3,
    reason: "out-of-range",
    requested: 5n,
    lastOffsetFetched: 5n,
    earliest: 10n,
    latest: 20n,
    ...given,
  };
}
