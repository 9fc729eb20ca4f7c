import type { OutOfRangeReason } from "../../errors/offset-out-of-range-error.ts";
import type { OffsetResetContext } from "../../offset-reset-policy.ts";
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } from "../../log-source.ts";

/** One partition of a log as far as a reset needs it: its bounds, and when its records were written. */
export interface SimulatedLog {
  /** What the case's message calls it. */
  readonly name: string;
  /** The first offset that the log still has. */
  readonly earliest: bigint;
  /** The offset after the last record. */
  readonly latest: bigint;
}

const int64Max = 2n ** 63n - 1n;

/** The logs that every policy has to cope with. */
export const simulatedLogs: readonly SimulatedLog[] = [
  { name: "an empty log", earliest: 0n, latest: 0n },
  { name: "a log whose five records are all deleted", earliest: 5n, latest: 5n },
  { name: "a log of one record", earliest: 0n, latest: 1n },
  { name: "a log whose last record alone is left", earliest: 41n, latest: 42n },
  { name: "a log of many records", earliest: 0n, latest: 1_000_000n },
  { name: "a log whose beginning is deleted", earliest: 1_000n, latest: 2_000n },
  // Emptied, so that an offset which lost its last bit lies outside.
  { name: "an emptied log at 2^53 + 1", earliest: 2n ** 53n + 1n, latest: 2n ** 53n + 1n },
  { name: "a log at 2^53 + 1", earliest: 2n ** 53n + 1n, latest: 2n ** 53n + 3n },
  { name: "an emptied log at the end of int64", earliest: int64Max, latest: int64Max },
  { name: "a log at the end of int64", earliest: int64Max - 3n, latest: int64Max },
];

/** The fetch that led to a reset. */
export interface FailedFetch {
  /** Why the log refused the offset; `start` where nothing was fetched yet. */
  readonly reason: OffsetResetContext["reason"];
  /** The offset that the log refused. */
  readonly requested: bigint;
  /** The same; -1n on the first fetch of a consumer without a stored position. */
  readonly lastOffsetFetched: bigint;
}

/** What a policy gets as a start, where nothing was fetched yet. */
export const noFetch: FailedFetch = Object.freeze({ reason: "start", requested: -1n, lastOffsetFetched: -1n });

/**
 * Fetches that this log would refuse: below it, beyond it, and anywhere with the position of another log or one that was
 * truncated; of a consumer with a stored position and of one without.
 */
export function failedFetches({ earliest, latest }: SimulatedLog): readonly FailedFetch[] {
  const candidates = new Set([0n, earliest - 1n, earliest, latest, latest + 1n, latest + 100n, 2n ** 53n, int64Max]);
  return [...candidates]
    .filter((offset) => offset >= 0n && offset <= int64Max)
    .flatMap((requested) => reasonsOf(requested, earliest, latest).map((reason) => ({ reason, requested })))
    .flatMap((fetch) => [
      { ...fetch, lastOffsetFetched: fetch.requested },
      { ...fetch, lastOffsetFetched: -1n },
    ]);
}

function reasonsOf(requested: bigint, earliest: bigint, latest: bigint): readonly OutOfRangeReason[] {
  if (requested < earliest) return ["below-log", "other-log"];
  return requested > latest ? ["beyond-log", "other-log", "truncated"] : ["other-log", "truncated"];
}

const firstRecordMs = Date.UTC(2026, 0, 1);

/** What the log answers to ListOffsets. Its records are a second apart; one before the first of them asks for the first. */
export function listOffset({ earliest, latest }: SimulatedLog, timestamp: number): bigint {
  if (timestamp === EARLIEST_TIMESTAMP) return earliest;
  if (timestamp === LATEST_TIMESTAMP) return latest;
  const recordsBefore = BigInt(Math.ceil(Math.max(timestamp - firstRecordMs, 0) / 1000));
  const offset = earliest + recordsBefore;
  return offset < latest ? offset : latest;
}
