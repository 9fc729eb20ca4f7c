import type { LogRecord } from "../log-source.ts";

const NO_RECORDS: readonly LogRecord[] = [];

/** Where one loop stands in one partition: what is fetched and not handed out, and what is to be done next. */
export class PartitionReader {
  readonly partition: number;
  /** The offset to fetch next. */
  nextFetch: bigint;
  /** The offset at which a loop that reads until the end stops. */
  endOffset: bigint | undefined;
  /** Whether a fetch is under way, or a reset is being looked up. */
  busy = false;
  /** The monotonic time before which no fetch is tried again. */
  retryAt = 0;
  /** How many fetches have failed in a row. */
  failures = 0;
  /** How many resets in a row gave an offset that the log refused again. */
  resets = 0;
  /** Whether the log has answered for this partition in this loop, or has failed to for now. */
  answered = false;
  /** Whether the partition was taken from the consumer. */
  dropped = false;
  /** The offset that the log refused, until it is decided where to go on. */
  refusedOffset: bigint | undefined;
  /** What the reader holds of the loop's budget, for the fetch under way or its answer. */
  heldBytes = 0;
  /** Why the partition cannot be read any more in this loop. */
  error: Error | undefined;
  #records = NO_RECORDS;
  #index = 0;
  #taken = false;
  // A position beyond the end is not the end: the log has to refuse it first.
  #beyondEnd: boolean;

  constructor(partition: number, nextFetch: bigint, endOffset: bigint | undefined, refusedOffset?: bigint) {
    this.partition = partition;
    this.refusedOffset = refusedOffset;
    this.nextFetch = nextFetch;
    this.endOffset = endOffset;
    this.#beyondEnd = endOffset !== undefined && nextFetch > endOffset;
  }

  /** Whether a record waits to be handed out. */
  get filled(): boolean {
    return this.#index < this.#records.length;
  }

  /** Whether a record of this partition was handed out in this loop. */
  get begun(): boolean {
    return this.#taken;
  }

  /** Whether everything up to the end that was asked for is handed out. */
  get finished(): boolean {
    if (this.endOffset === undefined || this.#beyondEnd || this.refusedOffset !== undefined) return false;
    const next = this.#records[this.#index];
    return next === undefined ? this.nextFetch >= this.endOffset : next.offset >= this.endOffset;
  }

  /** Whether a fetch makes sense now. */
  wantsFetch(now: number): boolean {
    return !this.busy && !this.filled && !this.finished && this.error === undefined && now >= this.retryAt;
  }

  /** Takes in what a fetch brought. */
  fill(records: readonly LogRecord[], nextOffset: bigint): void {
    const asked = this.nextFetch;
    // A log may answer with whole batches that begin earlier than what was asked for.
    const isEarlier = (records[0]?.offset ?? asked) < asked;
    this.#beyondEnd = false;
    this.#records = isEarlier ? records.filter(({ offset }) => offset >= asked) : records;
    this.#index = 0;
    this.failures = 0;
    this.resets = 0;
    this.retryAt = 0;
    if (nextOffset > asked) this.nextFetch = nextOffset;
  }

  /** Hands out the next record. */
  take(): LogRecord | undefined {
    this.#taken = true;
    return this.#records[this.#index++];
  }

  /** Goes on elsewhere, on a log that may end earlier than the one before. */
  moveTo(offset: bigint, latest: bigint): void {
    this.nextFetch = offset;
    this.refusedOffset = undefined;
    this.resets += 1;
    this.#beyondEnd = false;
    // A log that was made anew and is shorter never gets to the end of the former one.
    if (this.endOffset !== undefined && this.endOffset > latest) this.endOffset = latest;
    this.#records = NO_RECORDS;
    this.#index = 0;
    this.failures = 0;
    this.retryAt = 0;
  }
}
