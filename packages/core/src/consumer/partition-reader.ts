import type { LogRecord } from "../log-source.ts";

const NO_RECORDS: readonly LogRecord[] = [];

/** Where one loop stands in one partition: what is fetched and not handed out, and what is to be done next. */
export class PartitionReader {
  readonly partition: number;
  /** The offset to fetch next. */
  nextFetch: bigint;
  /** The offset at which a loop that reads until the end stops. */
  readonly endOffset: bigint | undefined;
  /** Whether a fetch is under way, or a reset is being looked up. */
  busy = false;
  /** The monotonic time before which no fetch is tried again. */
  retryAt = 0;
  /** How many fetches have failed in a row. */
  failures = 0;
  /** The offset that the log refused. */
  refusedOffset: bigint | undefined;
  /** Why the partition cannot be read any more in this loop. */
  error: Error | undefined;
  #records = NO_RECORDS;
  #index = 0;
  // A position beyond the end is not the end: the log has to refuse it first.
  #beyondEnd: boolean;

  constructor(partition: number, nextFetch: bigint, endOffset: bigint | undefined) {
    this.partition = partition;
    this.nextFetch = nextFetch;
    this.endOffset = endOffset;
    this.#beyondEnd = endOffset !== undefined && nextFetch > endOffset;
  }

  /** Whether a record waits to be handed out. */
  get filled(): boolean {
    return this.#index < this.#records.length;
  }

  /** Whether everything up to the end that was asked for is handed out. */
  get finished(): boolean {
    if (this.endOffset === undefined || this.#beyondEnd) return false;
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
    this.retryAt = 0;
    if (nextOffset > asked) this.nextFetch = nextOffset;
  }

  /** Hands out the next record. */
  take(): LogRecord | undefined {
    return this.#records[this.#index++];
  }

  /** Goes on elsewhere. */
  moveTo(offset: bigint): void {
    this.nextFetch = offset;
    this.refusedOffset = undefined;
    this.#beyondEnd = false;
    this.#records = NO_RECORDS;
    this.#index = 0;
    this.failures = 0;
    this.retryAt = 0;
  }
}
