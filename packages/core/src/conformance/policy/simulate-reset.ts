import { assert } from "../assert.ts";
import { OffsetOutOfRangeError } from "../../errors/offset-out-of-range-error.ts";
import type { OffsetResetContext, OffsetResetPolicy } from "../../offset-reset-policy.ts";
import { type FailedFetch, listOffset, type SimulatedLog } from "./simulated-log.ts";

/** How often a consumer asks a policy before it gives up. */
export const maxAttempts = 5;

/** How a reset ended: at an offset within the log, or with the policy's refusal to choose. */
export type ResetOutcome = { readonly nextOffset: bigint; readonly attempts: number } | "refused";

/** What a policy gets. Frozen: a policy that writes to it fails. */
export function contextOf(
  log: SimulatedLog,
  { reason, requested, lastOffsetFetched }: FailedFetch,
): OffsetResetContext {
  const { earliest, latest } = log;
  return Object.freeze({ topic: "conformance", partition: 0, reason, requested, lastOffsetFetched, earliest, latest });
}

/** Asks a policy for its timestamp, and checks it. `undefined`: it refused, which is its right. */
export function askTimestamp(policy: OffsetResetPolicy, context: OffsetResetContext): number | undefined {
  let timestamp: unknown;
  try {
    timestamp = policy.timestamp(context);
  } catch (error) {
    assert.ok(
      error instanceof OffsetOutOfRangeError,
      `timestamp() threw something else than a refusal: ${String(error)}`,
    );
    return undefined;
  }
  assert.ok(
    typeof timestamp === "number" && Number.isSafeInteger(timestamp) && timestamp >= -2,
    `timestamp() answered ${String(timestamp)}, not a whole number from -2 up`,
  );
  return timestamp;
}

/** Asks a policy for the offset to fetch, and checks that it is one. */
export function askOffset(policy: OffsetResetPolicy, lastOffsetFetched: bigint, answer: bigint): bigint {
  if (policy.adjustOffset === undefined) return answer;
  const offset: unknown = policy.adjustOffset(lastOffsetFetched, answer);
  assert.ok(
    typeof offset === "bigint",
    `adjustOffset(${lastOffsetFetched}n, ${answer}n) answered ${String(offset)}, not a bigint`,
  );
  return offset;
}

/** Does what a consumer does: asks, and takes an answer outside of the log for one more failing fetch. */
export function simulateReset(
  policy: OffsetResetPolicy,
  log: SimulatedLog,
  { reason, requested, lastOffsetFetched: failedAt }: FailedFetch,
): ResetOutcome {
  let lastOffsetFetched = failedAt;
  for (let attempts = 1; attempts <= maxAttempts; attempts += 1) {
    const timestamp = askTimestamp(policy, contextOf(log, { reason, requested, lastOffsetFetched }));
    if (timestamp === undefined) return "refused";
    const nextOffset = askOffset(policy, lastOffsetFetched, listOffset(log, timestamp));
    if (nextOffset >= log.earliest && nextOffset <= log.latest) return { nextOffset, attempts };
    lastOffsetFetched = nextOffset;
  }
  return assert.fail(
    `${log.name} (${log.earliest} to ${log.latest}), asked for ${requested}: still outside after ${maxAttempts} attempts, at ${lastOffsetFetched}`,
  );
}
