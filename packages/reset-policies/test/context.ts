import type { OffsetResetContext } from "@tidemark/core";

/** What a policy is told, for a log from 10 to 20 unless the test says otherwise. */
export function contextOf(given: Partial<OffsetResetContext> = {}): OffsetResetContext {
  const { requested = 5n, earliest = 10n } = given;
  return {
    topic: "orders",
    partition: 3,
    reason: requested < earliest ? "below-log" : "beyond-log",
    requested,
    lastOffsetFetched: 5n,
    earliest,
    latest: 20n,
    ...given,
  };
}
