import { brandOf, isBranded } from "./brand.ts";
import { helpUrlOf, withHelp } from "./error-help.ts";

/** What an {@link OffsetOutOfRangeError} is made from. */
export interface OffsetOutOfRangeErrorOptions {
  readonly topic: string;
  readonly partition: number;
  /** The offset that was asked for. */
  readonly requested: bigint;
  /** The first offset that the log still has, where it is known. */
  readonly earliest?: bigint | undefined;
  /** The offset after the log's last record, where it is known. */
  readonly latest?: bigint | undefined;
  /** What to add to the message, a clause without a full stop. */
  readonly detail?: string;
  readonly cause?: unknown;
}

const CODE = "OFFSET_OUT_OF_RANGE";
const brand = brandOf("OffsetOutOfRangeError");

/** The log has no record at the offset asked for: it lies before the first one or beyond the end. */
export class OffsetOutOfRangeError extends Error {
  override readonly name: string = "OffsetOutOfRangeError";
  readonly code = CODE;
  readonly topic: string;
  readonly partition: number;
  readonly requested: bigint;
  readonly earliest: bigint | undefined;
  readonly latest: bigint | undefined;

  constructor(options: OffsetOutOfRangeErrorOptions) {
    const { topic, partition, requested, earliest, latest, detail } = options;
    const bounds =
      earliest === undefined || latest === undefined ? "" : `: the log has offsets from ${earliest} to ${latest}`;
    const message = `offset ${requested} of topic ${JSON.stringify(topic)} partition "${partition}" is out of range${bounds}${detail === undefined ? "" : `; ${detail}`}`;
    super(withHelp(message, CODE), options.cause === undefined ? undefined : { cause: options.cause });
    this.topic = topic;
    this.partition = partition;
    this.requested = requested;
    this.earliest = earliest;
    this.latest = latest;
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
