import { brandOf, isBranded } from "./brand.ts";
import { helpUrlOf, withHelp } from "./error-help.ts";

/**
 * Why a log does not have an offset: it lies before the first record (`below-log`) or beyond the end (`beyond-log`), the
 * log is another than the one that the position belongs to (`other-log`: a topic that was deleted and recreated), or the
 * log was truncated below the position (`truncated`: an unclean leader election).
 */
export type OutOfRangeReason = "below-log" | "beyond-log" | "other-log" | "truncated";

/** What an {@link OffsetOutOfRangeError} is made from. */
export interface OffsetOutOfRangeErrorOptions {
  readonly topic: string;
  readonly partition: number;
  /** The offset that was asked for. */
  readonly requested: bigint;
  /** The first offset that the log still has, if known. */
  readonly earliest?: bigint | undefined;
  /** The offset after the log's last record, if known. */
  readonly latest?: bigint | undefined;
  /** Default: `below-log` if `requested` lies before `earliest`, else `beyond-log`. */
  readonly reason?: OutOfRangeReason | undefined;
  /** With `truncated`: the first offset at which the log differs from what was read. */
  readonly divergedAt?: bigint | undefined;
  /** What to add to the message, a clause without a full stop. */
  readonly detail?: string;
  readonly cause?: unknown;
}

const CODE = "OFFSET_OUT_OF_RANGE";
const WHY: Readonly<Record<OutOfRangeReason, string>> = {
  "below-log": "is out of range",
  "beyond-log": "is out of range",
  "other-log": "belongs to another log: the topic was recreated",
  truncated: "is out of range: the log was truncated below it",
};
const brand = brandOf("OffsetOutOfRangeError");

/** The log does not have the requested offset, or the position belongs to another log: see `reason`. */
export class OffsetOutOfRangeError extends Error {
  override readonly name: string = "OffsetOutOfRangeError";
  readonly code = CODE;
  readonly topic: string;
  readonly partition: number;
  readonly requested: bigint;
  readonly earliest: bigint | undefined;
  readonly latest: bigint | undefined;
  readonly reason: OutOfRangeReason;
  readonly divergedAt: bigint | undefined;

  constructor(options: OffsetOutOfRangeErrorOptions) {
    const { topic, partition, requested, earliest, latest, divergedAt, detail } = options;
    const { reason = earliest !== undefined && requested < earliest ? "below-log" : "beyond-log" } = options;
    const bounds =
      earliest === undefined || latest === undefined ? "" : `: the log has offsets from ${earliest} to ${latest}`;
    const message = `offset ${requested} of topic ${JSON.stringify(topic)} partition "${partition}" ${WHY[reason]}${bounds}${detail === undefined ? "" : `; ${detail}`}`;
    super(withHelp(message, CODE), options.cause === undefined ? undefined : { cause: options.cause });
    this.topic = topic;
    this.partition = partition;
    this.requested = requested;
    this.earliest = earliest;
    this.latest = latest;
    this.reason = reason;
    this.divergedAt = divergedAt;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Where the code is explained, and what to do about it; the message ends with it. */
  get help(): string {
    return helpUrlOf(this.code);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, brand, this, OffsetOutOfRangeError);
  }
}
