import {
  EARLIEST_TIMESTAMP,
  type FetchResult,
  LATEST_TIMESTAMP,
  type ListedOffset,
  type LogRecord,
  type RecordInput,
} from "@tidemark/core";

/** What one leader wrote: the offsets from `start` to the next leader's. */
interface LeaderEpoch {
  readonly epoch: number;
  readonly start: bigint;
}

/** What a log says of a mark: it is another log's, or of this one, which holds the mark's records up to and without `end`. */
export type MarkFinding = "other-log" | { readonly end: bigint };

/** The records of one partition, in an array that fetches are slices of. */
export class MemoryPartition {
  readonly topic: string;
  readonly partition: number;
  /** Woken when there is something new to see: a record, a deletion, a failure. */
  readonly waiters = new Set<() => void>();
  /** The first offset that the log still has. */
  start = 0n;
  /** The offset of the next record. */
  end = 0n;
  readonly #topicId: string;
  #records: LogRecord[] = [];
  /** For each record the bytes of all records ever written up to and with it, so that a cut is a search, not a sum. */
  #bytesUpTo: number[] = [];
  #bytesWritten = 0;
  #bytesDeleted = 0;
  #epochs: LeaderEpoch[] = [{ epoch: 0, start: 0n }];
  #lastEpoch = 0;

  constructor(topic: string, partition: number, topicId: string) {
    this.topic = topic;
    this.partition = partition;
    this.#topicId = topicId;
  }

  append(inputs: readonly RecordInput[]): bigint {
    const first = this.end;
    const now = Date.now();
    for (const { key = null, value, headers = [], timestampMs = now } of inputs) {
      this.#bytesWritten += (key?.length ?? 0) + (value?.length ?? 0);
      for (const header of headers) this.#bytesWritten += header.name.length + header.value.length;
      this.#bytesUpTo.push(this.#bytesWritten);
      // Copies: the caller may fill its buffers again.
      this.#records.push({
        topic: this.topic,
        partition: this.partition,
        offset: this.end,
        timestampMs,
        key: key && new Uint8Array(key),
        value: value && new Uint8Array(value),
        headers: headers.map((header) => ({
          name: header.name,
          value: new Uint8Array(header.value),
        })),
      });
      this.end += 1n;
    }
    this.wake();
    return first;
  }

  /** The offset lies in the log or at its end. */
  read(offset: bigint, maxBytes: number): FetchResult {
    const from = this.#indexOf(offset);
    const bytesBefore = this.#bytesUpTo[from - 1] ?? this.#bytesDeleted;
    const cut = firstIndex(this.#bytesUpTo, from, (bytes) => bytes > bytesBefore + maxBytes);
    const nextEpochAt = this.#epochs.find(({ start }) => start > offset)?.start ?? this.end;
    const epochCut = this.#indexOf(nextEpochAt);
    const records = this.#records.slice(from, Math.min(Math.max(cut, from + 1), epochCut));
    const last = records.at(-1);
    // With every record of the epoch read, what lies between the last one and its end is a gap and is passed over too.
    const nextOffset = last === undefined || from + records.length === epochCut ? nextEpochAt : last.offset + 1n;
    return { records, nextOffset, highWatermark: this.end, mark: this.markAt(offset) };
  }

  /** The mark of what lies at an offset, or will. */
  markAt(offset: bigint): string {
    const { epoch } = this.#epochs.findLast(({ start }) => start <= offset) ?? { epoch: 0 };
    return `${this.#topicId}/${epoch}`;
  }

  /** Looks for the log of a mark in this one. */
  find(mark: string): MarkFinding {
    const [, topicId, epochText] = /^(.*)\/(\d+)$/.exec(mark) ?? [];
    if (topicId !== this.#topicId) return "other-log";
    const next = this.#epochs.find(({ epoch }) => epoch > Number(epochText));
    return { end: next?.start ?? this.end };
  }

  list(timestamp: number): ListedOffset {
    const { partition } = this;
    const offset = this.#offsetAt(timestamp);
    return offset === undefined ? { partition } : { partition, offset, mark: this.markAt(offset) };
  }

  deleteBefore(offset: bigint): void {
    if (offset <= this.start) return;
    const index = this.#indexOf(offset);
    this.#bytesDeleted = this.#bytesUpTo[index - 1] ?? this.#bytesDeleted;
    this.#records = this.#records.slice(index);
    this.#bytesUpTo = this.#bytesUpTo.slice(index);
    this.start = offset;
    this.wake();
  }

  advanceTo(offset: bigint): void {
    if (offset <= this.end) throw new RangeError(`the next offset is ${this.end} already, it cannot become ${offset}`);
    this.end = offset;
    this.wake();
  }

  changeLeader(keepBefore = this.end): void {
    if (keepBefore < this.start || keepBefore > this.end) {
      throw new RangeError(`the log has offsets from ${this.start} to ${this.end}, it cannot end at ${keepBefore}`);
    }
    const index = this.#indexOf(keepBefore);
    this.#records = this.#records.slice(0, index);
    this.#bytesUpTo = this.#bytesUpTo.slice(0, index);
    this.#bytesWritten = this.#bytesUpTo.at(-1) ?? this.#bytesDeleted;
    this.#lastEpoch += 1;
    // As in Kafka, an epoch that wrote nothing, or of which nothing is left, is forgotten.
    this.#epochs = this.#epochs.filter(({ start }) => start < keepBefore);
    this.#epochs.push({ epoch: this.#lastEpoch, start: keepBefore });
    this.end = keepBefore;
    this.wake();
  }

  wake(): void {
    for (const wake of this.waiters) wake();
  }

  #offsetAt(timestamp: number): bigint | undefined {
    if (timestamp === EARLIEST_TIMESTAMP) return this.start;
    if (timestamp === LATEST_TIMESTAMP) return this.end;
    return this.#records.find((record) => record.timestampMs >= timestamp)?.offset;
  }

  #indexOf(offset: bigint): number {
    const first = this.#records[0];
    const last = this.#records.at(-1);
    if (first === undefined || last === undefined || offset <= first.offset) return 0;
    if (offset > last.offset) return this.#records.length;
    if (last.offset - first.offset === BigInt(this.#records.length - 1)) return Number(offset - first.offset);
    return firstIndex(this.#records, 0, (record) => record.offset >= offset);
  }
}

/** The index of the first item from `from` on that passes; the items before it do not, those after it do. */
function firstIndex<Item>(items: readonly Item[], from: number, passes: (item: Item) => boolean): number {
  let low = from;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (passes(items[middle] as Item)) high = middle;
    else low = middle + 1;
  }
  return low;
}
