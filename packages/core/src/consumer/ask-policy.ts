import { backoffMs, delay } from "../driver/deadline.ts";
import { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { ListOffsetsEntry } from "../log-source.ts";
import type { OffsetResetContext, OffsetResetPolicy } from "../offset-reset-policy.ts";
import { type LogBounds, type LogPoint, lookUpBounds, lookUpTimestamps, type OffsetLookup } from "./log-bounds.ts";

const MAX_ATTEMPTS = 5;
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 1_000;

/** A partition that needs a policy to say where to continue. */
export interface OffsetQuestion {
  readonly partition: number;
  /** `start`: no position is stored. Else why the log refused `requested`. */
  readonly reason: OffsetResetContext["reason"];
  /** The offset that the log refused; -1n where none was asked for. */
  readonly requested: bigint;
  /** The offset of the failing fetch; -1n where there was none. */
  readonly lastOffsetFetched: bigint;
  /** Where a truncated log differs from what was read: there reading continues, unless the policy refuses to choose. */
  readonly divergedAt?: bigint | undefined;
}

/** What a policy said, and the log that it said it of. */
export interface OffsetChoice {
  readonly nextOffset: bigint;
  /** The mark of a position there, in the log's own words. */
  readonly mark: string | undefined;
  readonly bounds: LogBounds;
}

/** Takes the answer for one partition: a choice, or why there is none. */
export type OffsetDecision = (partition: number, choice: OffsetChoice | Error) => void;

/**
 * Asks a policy where to continue, for many partitions in one lookup (section 6): ListOffsets, `timestamp`, `adjustOffset`.
 * A choice outside of the log counts as one more failing fetch; after five of them the partition is out of range for good.
 * Each partition is decided once, as soon as its answer is known: those that are asked again hold up no other.
 */
export async function askPolicy(
  log: OffsetLookup,
  policy: OffsetResetPolicy,
  questions: readonly OffsetQuestion[],
  signal: AbortSignal | undefined,
  decide: OffsetDecision,
): Promise<void> {
  const { topic } = log;
  let open: readonly OffsetQuestion[] = questions;
  for (let attempt = 0; open.length > 0; attempt += 1) {
    if (attempt > 0) await delay(backoffMs(attempt - 1, RETRY_BASE_MS, RETRY_MAX_MS), signal);
    const bounds = await lookUpBounds(
      log,
      open.map(({ partition }) => partition),
      signal,
    );
    const asked: (OffsetQuestion & ListOffsetsEntry)[] = [];
    for (const question of open) {
      const { earliest, latest } = boundsOf(bounds, question.partition);
      const { partition, reason, requested, lastOffsetFetched } = question;
      try {
        const context = { topic, partition, reason, requested, lastOffsetFetched, earliest: earliest.offset };
        const timestamp = policy.timestamp({ ...context, latest: latest.offset });
        checkTimestamp(timestamp);
        asked.push({ ...question, timestamp });
      } catch (error) {
        decide(partition, policyFailure(policy, topic, partition, error));
      }
    }
    const listed = await lookUpTimestamps(log, asked, bounds, signal);
    open = asked.flatMap((question) => {
      const { partition, lastOffsetFetched, divergedAt } = question;
      const { earliest, latest } = boundsOf(bounds, partition);
      const answer = listed.get(partition) ?? latest;
      let offset: bigint;
      try {
        const adjusted: unknown = policy.adjustOffset
          ? policy.adjustOffset(lastOffsetFetched, answer.offset)
          : answer.offset;
        checkOffset(adjusted);
        // What was read up to there is what the log still has.
        offset = divergedAt !== undefined && contains(earliest, latest, divergedAt) ? divergedAt : adjusted;
      } catch (error) {
        decide(partition, policyFailure(policy, topic, partition, error));
        return [];
      }
      if (contains(earliest, latest, offset)) {
        const mark = offset === answer.offset ? answer.mark : undefined;
        decide(partition, { nextOffset: offset, mark, bounds: { earliest, latest } });
        return [];
      }
      if (attempt + 1 < MAX_ATTEMPTS) return [{ ...question, lastOffsetFetched: offset }];
      // What was lost is what an operator looks for: the policy's choice alone does not show it.
      const instead = question.requested < 0n ? "" : ` instead of ${question.requested}`;
      const detail = `reset policy ${JSON.stringify(policy.name)} chose offsets outside of the log ${MAX_ATTEMPTS} times${instead}`;
      const range = { earliest: earliest.offset, latest: latest.offset };
      decide(partition, new OffsetOutOfRangeError({ topic, partition, requested: offset, ...range, detail }));
      return [];
    });
  }
}

function contains(earliest: LogPoint, latest: LogPoint, offset: bigint): boolean {
  return offset >= earliest.offset && offset <= latest.offset;
}

function boundsOf(bounds: ReadonlyMap<number, LogBounds>, partition: number): LogBounds {
  const found = bounds.get(partition);
  if (found === undefined) throw new TypeError(`listOffsets returned no bounds for partition ${partition}`);
  return found;
}

function checkTimestamp(timestamp: unknown): void {
  if (typeof timestamp === "number" && Number.isSafeInteger(timestamp) && timestamp >= -2) return;
  refusePromise("timestamp", timestamp);
  throw new TypeError(`timestamp must return -2, -1 or whole milliseconds since the epoch, not ${nameOf(timestamp)}`);
}

function checkOffset(offset: unknown): asserts offset is bigint {
  if (typeof offset === "bigint") return;
  refusePromise("adjustOffset", offset);
  throw new TypeError(`adjustOffset must return a bigint, not ${nameOf(offset)}`);
}

/** A policy answers at once. The rejection of a promise that is not awaited must not end the process. */
function refusePromise(method: string, answer: unknown): void {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return;
  Promise.resolve(answer).catch(() => undefined);
  throw new TypeError(`${method} must be synchronous, and returned a promise`);
}

function nameOf(value: unknown): string {
  return typeof value === "object" && value !== null ? "an object" : `${typeof value} ${String(value)}`;
}

/** A refusal to choose reaches the user as it is; anything else a policy throws, with where it happened. */
function policyFailure(policy: OffsetResetPolicy, topic: string, partition: number, error: unknown): Error {
  if (error instanceof OffsetOutOfRangeError) return error;
  const where = `reset policy ${JSON.stringify(policy.name)} failed on topic ${JSON.stringify(topic)} partition "${partition}"`;
  return new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
