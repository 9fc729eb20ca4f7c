import type { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { PartitionProgress } from "../session/partition-progress.ts";
import { validateName, validateOffset } from "../driver/validation.ts";
import type { FetchResult, LogRecord } from "../log-source.ts";

const NO_RECORDS: readonly LogRecord[] = [];

/** One partition of a consumer, for as long as it reads it: where reading stands, and what is fetched and not handed out. */
export class ConsumedPartition {
  readonly number: number;
  /** How far it is read and committed: the session's own, where there is a session. */
  readonly progress: PartitionProgress;
  /** The offset to fetch next. */
  nextFetch = 0n;
  /** Which log `nextFetch` belongs to. */
  mark: string | undefined;
  /** The offset at which a loop that reads until the end stops. */
  endOffset: bigint | undefined;
  /** What the log refused, until it is decided where to continue: it outlives a loop. */
  refused: { readonly offset: bigint; readonly error: OffsetOutOfRangeError } | undefined;
  /** Where the log ended when it answered last. */
  highWatermark: bigint | undefined;
  /** When the fetch under way, or the last, was sent, by the monotonic clock. */
  fetchedAt = 0;
  /** How many fetches have failed in a row. */
  failures = 0;
  /** How many resets in a row gave an offset that the log refused again. */
  resets = 0;
  /** Whether the log has answered in this loop, or has failed to for now. */
  hasAnswered = false;
  /** Whether a record was handed out in this loop. */
  hasBegun = false;
  /** What it holds of the loop's budget, for the fetch under way or its answer. */
  heldBytes = 0;
  /** Whether records are taken that were not handed out yet. */
  isHeldBack = false;
  /** Why it cannot be read any more in this loop. */
  error: Error | undefined;
  #records = NO_RECORDS;
  #index = 0;
  // A position beyond the end is not the end: the log has to refuse it first.
  #isBeyondEnd = false;

  constructor(progress: PartitionProgress) {
    this.number = progress.key.partition;
    this.progress = progress;
  }

  /** Whether a record waits to be handed out. */
  get isFilled(): boolean {
    return this.#index < this.#records.length;
  }

  /** Where the next record that is not taken lies, as far as is known. */
  get takenTo(): bigint {
    return this.#records[this.#index]?.offset ?? this.nextFetch;
  }

  /** Whether everything up to the end that was asked for is handed out. */
  get isFinished(): boolean {
    if (this.endOffset === undefined || this.#isBeyondEnd || this.refused !== undefined) return false;
    const next = this.#records[this.#index];
    return next === undefined ? this.nextFetch >= this.endOffset : next.offset >= this.endOffset;
  }

  /** A loop begins to read, from the committed position. */
  begin(endOffset: bigint | undefined): void {
    const { position = 0n, mark } = this.progress;
    this.endOffset = endOffset;
    this.#isBeyondEnd = endOffset !== undefined && position > endOffset;
    this.hasAnswered = false;
    this.hasBegun = false;
    this.heldBytes = 0;
    this.isHeldBack = false;
    this.error = undefined;
    this.resets = 0;
    // Who moved the position past what was refused has decided already.
    if (this.refused !== undefined && this.refused.offset < position) this.refused = undefined;
    // A position without a mark, from which a loop has read before: the log has said then which one it is.
    this.#goTo(position, mark ?? this.mark);
  }

  /** Takes in what a fetch brought. */
  fill({ records, nextOffset, mark, highWatermark }: FetchResult): void {
    if (!Array.isArray(records)) throw new TypeError("the log source must return records as an array");
    if (typeof nextOffset !== "bigint")
      throw new TypeError(`the log source must return nextOffset as a bigint, not ${typeof nextOffset}`);
    if (mark !== undefined) validateName("mark", mark);
    const last = (records as readonly LogRecord[]).at(-1);
    if (last !== undefined) validateOffset("offset", last.offset);
    if (last !== undefined && nextOffset <= last.offset) {
      throw new TypeError(`the log source returned nextOffset ${nextOffset} after record ${last.offset}`);
    }
    const asked = this.nextFetch;
    // A log may answer with whole batches that begin earlier than what was asked for.
    const isEarlier = (records[0]?.offset ?? asked) < asked;
    this.#isBeyondEnd = false;
    this.#records = isEarlier ? records.filter(({ offset }) => offset >= asked) : records;
    this.#index = 0;
    this.failures = 0;
    this.resets = 0;
    this.hasAnswered = true;
    this.highWatermark = highWatermark;
    if (mark !== undefined) this.mark = mark;
    if (nextOffset > asked) this.nextFetch = nextOffset;
  }

  /** Hands out the next record. */
  take(): LogRecord | undefined {
    const record = this.#records[this.#index];
    if (record === undefined) return undefined;
    this.#index += 1;
    this.hasBegun = true;
    return record;
  }

  /** Hands out the next records, at most so many, up to the end that was asked for. */
  takeUpTo(most: number): readonly LogRecord[] {
    const taken = this.#records.slice(this.#index, this.#index + most);
    const { endOffset } = this;
    if (endOffset !== undefined && !this.#isBeyondEnd && this.refused === undefined)
      while ((taken.at(-1)?.offset ?? -1n) >= endOffset) taken.pop();
    this.#index += taken.length;
    if (taken.length > 0) this.hasBegun = true;
    return taken;
  }

  /** Continues elsewhere, on a log that may end earlier than the one before. */
  moveTo(offset: bigint, mark: string | undefined, latest: bigint): void {
    this.refused = undefined;
    this.resets += 1;
    this.#isBeyondEnd = false;
    // A log that was recreated and is shorter never gets to the end of the former one.
    if (this.endOffset !== undefined && this.endOffset > latest) this.endOffset = latest;
    this.#goTo(offset, mark);
  }

  #goTo(offset: bigint, mark: string | undefined): void {
    this.isHeldBack = false;
    this.nextFetch = offset;
    this.mark = mark;
    this.#records = NO_RECORDS;
    this.#index = 0;
    this.failures = 0;
  }
}
