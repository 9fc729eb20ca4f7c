import type { LogRecord } from "../log-source.ts";
import { bytesOf } from "./record-bytes.ts";
import type { ConsumedPartition } from "./consumed-partition.ts";
import type { RecordBatch } from "./consumer.ts";
import type { Reading } from "./reading.ts";
import type { LoopSource } from "./reading-loop.ts";

/** What batches are made of. */
export interface BatchOptions {
  readonly maxRecords: number;
  /** Milliseconds that a batch waits for more records. */
  readonly linger: number;
  /** The most bytes of records that wait in batches; then the oldest goes as it is. */
  readonly maxBytes: number;
}

/** Hands a batch out: says so of each record, and leaves out those that are done already. `undefined`: all of them are. */
export type HandOutBatch = (partition: ConsumedPartition, records: readonly LogRecord[]) => RecordBatch | undefined;

/** Makes batches of what a reading has, each of one partition. */
export class BatchCollector implements LoopSource<RecordBatch> {
  readonly #reading: Reading;
  readonly #options: BatchOptions;
  readonly #handOut: HandOutBatch;
  // Batches that wait for more records, the oldest first.
  readonly #open = new Map<ConsumedPartition, { readonly records: LogRecord[]; readonly dueAt: number }>();
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(reading: Reading, options: BatchOptions, handOut: HandOutBatch) {
    this.#reading = reading;
    this.#options = options;
    this.#handOut = handOut;
  }

  takeNow(): RecordBatch | undefined {
    return this.#reading.mayTake() ? this.#take() : undefined;
  }

  async takeNext(): Promise<RecordBatch | undefined> {
    try {
      const batch = await this.#reading.waitFor(() => this.#take());
      if (batch !== undefined || this.#reading.isOver) return batch;
      // Read to the end: nothing more comes that the others could wait for.
      for (const partition of [...this.#open.keys()]) {
        const last = this.#close(partition);
        if (last !== undefined) return last;
      }
      return undefined;
    } finally {
      clearTimeout(this.#timer);
    }
  }

  #take(): RecordBatch | undefined {
    for (let partition = this.#reading.nextFilled(); partition !== undefined; partition = this.#reading.nextFilled()) {
      const batch = this.#collect(partition);
      if (batch !== undefined) return batch;
    }
    const now = performance.now();
    for (const [partition, { dueAt }] of this.#open) {
      // One that is lost is left out when it is handed out; to one that is read to its end nothing comes.
      if (this.#reading.partitions.has(partition) && dueAt > now && this.#heldBytes < this.#options.maxBytes) continue;
      const batch = this.#close(partition);
      if (batch !== undefined) return batch;
    }
    this.#wakeWhenDue(now);
    return undefined;
  }

  #collect(partition: ConsumedPartition): RecordBatch | undefined {
    const { maxRecords, linger } = this.#options;
    // The position was moved in the meantime: what waited is not delivered.
    if (!partition.isHeldBack) this.#close(partition);
    const former = this.#open.get(partition);
    const open = former ?? { records: [], dueAt: performance.now() + linger };
    this.#open.set(partition, open);
    // Nothing is passed over while records wait here that were not handed out.
    partition.isHeldBack = true;
    const taken = partition.takeUpTo(maxRecords - open.records.length);
    for (const record of taken) {
      open.records.push(record);
      if (linger > 0) this.#heldBytes += bytesOf(record);
    }
    const isWhole = open.records.length >= maxRecords || linger === 0 || partition.isFinished;
    const batch = isWhole ? this.#close(partition) : undefined;
    this.#reading.taken(partition);
    return batch;
  }

  #close(partition: ConsumedPartition): RecordBatch | undefined {
    const records = this.#open.get(partition)?.records ?? [];
    this.#open.delete(partition);
    if (this.#options.linger > 0) for (const record of records) this.#heldBytes -= bytesOf(record);
    // Reading went elsewhere meanwhile: what was fetched before is not handed out any more.
    const isOfNow = partition.isHeldBack;
    partition.isHeldBack = false;
    return isOfNow && records.length > 0 ? this.#handOut(partition, records) : undefined;
  }

  #wakeWhenDue(now: number): void {
    clearTimeout(this.#timer);
    const [first] = this.#open.values();
    if (first !== undefined) this.#timer = setTimeout(() => this.#reading.wake(), Math.max(0, first.dueAt - now));
  }
}
