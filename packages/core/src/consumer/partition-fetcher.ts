import { backoffMs, delay } from "../driver/deadline.ts";
import { LogSourceError } from "../errors/log-source-error.ts";
import { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { LogSource } from "../log-source.ts";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import { chooseOffsets, type OffsetChoice } from "./choose-offsets.ts";
import type { ConsumerEvent } from "./consumer.ts";
import { FetchBudget } from "./fetch-budget.ts";
import type { PartitionReader } from "./partition-reader.ts";

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 5_000;
// A topic that is being made again is unknown for a moment; one that stays unknown is an error.
const MAX_UNKNOWN_ATTEMPTS = 6;
// A log that refuses again and again what its own bounds allow is not asked for ever (section 6).
const MAX_RESETS = 5;
// How long a refused partition waits for those that are being fetched with it, to be looked up together.
const MAX_GATHERING_MS = 500;

/** What a fetcher works on. */
export interface FetcherContext {
  readonly source: LogSource;
  readonly topic: string;
  readonly maxBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxWait: number;
  /** How many partitions the loop reads. */
  readonly readers: () => number;
  readonly resetPolicy: OffsetResetPolicy;
  /** The offsets that the log refused and that are not decided yet, by partition: they outlive a loop. */
  readonly refused: Map<number, bigint>;
  /** Reading goes on elsewhere, because the position no longer exists. */
  readonly moved: (partition: number, to: bigint) => void;
  /** Ends all fetches of the loop. */
  readonly signal: AbortSignal;
  readonly emit: (event: ConsumerEvent) => void;
  /** Something changed that the loop may be waiting for. */
  readonly wake: () => void;
}

/** Partitions that the log refused at about the same time, to be looked up in one call. */
interface Refusals {
  readonly readers: PartitionReader[];
  /** Those that were being fetched when the first was refused: the log refuses each in an answer of its own. */
  readonly awaited: Set<PartitionReader>;
}

/** Fetches for the readers of one loop; sends those whose offset the log refuses to the reset policy, together. */
export class PartitionFetcher {
  readonly #context: FetcherContext;
  readonly #budget: FetchBudget;
  readonly #fetching = new Set<PartitionReader>();
  #refusals: Refusals | undefined;

  constructor(context: FetcherContext) {
    this.#context = context;
    this.#budget = new FetchBudget(context.maxBufferedBytes, context.maxBytes);
  }

  /** The partition is not read any more. */
  release(reader: PartitionReader): void {
    this.#budget.release(reader);
  }

  /** Begins one fetch; the reader is busy until its answer is there. */
  fetch(reader: PartitionReader): void {
    const { source, topic, maxWait, signal } = this.#context;
    const { partition, nextFetch: offset } = reader;
    reader.busy = true;
    // What was refused is not asked for again before it is decided: by then a new log may have grown past it.
    if (reader.refusedOffset !== undefined) return this.#refuse(reader);
    this.#fetching.add(reader);
    const maxBytes = this.#budget.take(reader, this.#context.readers());
    source
      .fetch({ topic, partition, offset, maxBytes, maxWait, signal })
      .then((result) => {
        reader.fill(result.records, result.nextOffset);
        reader.busy = false;
        reader.answered = true;
        this.#context.wake();
      })
      .catch((error: unknown) => this.#failed(reader, offset, error))
      .finally(() => {
        this.#fetching.delete(reader);
        this.#refusals?.awaited.delete(reader);
        if (this.#refusals?.awaited.size === 0) this.#lookUp(this.#refusals);
      });
  }

  #failed(reader: PartitionReader, offset: bigint, error: unknown): void {
    const { refused, signal, wake } = this.#context;
    if (signal.aborted) return;
    if (error instanceof OffsetOutOfRangeError) refused.set(reader.partition, offset);
    if (error instanceof OffsetOutOfRangeError && reader.resets < MAX_RESETS) {
      reader.refusedOffset = offset;
      if (reader.resets === 0) this.#refuse(reader);
      else {
        delay(backoffMs(reader.resets - 1, RETRY_BASE_MS, RETRY_MAX_MS), signal).then(
          () => this.#refuse(reader),
          () => undefined,
        );
      }
      return;
    }
    reader.busy = false;
    reader.answered = true;
    const known = error instanceof Error ? error : new Error(String(error), { cause: error });
    if (this.#isWorthRetrying(reader, known)) this.#retryLater(reader, known);
    else reader.error = known;
    wake();
  }

  #refuse(reader: PartitionReader): void {
    this.#refusals ??= this.#gather();
    this.#refusals.readers.push(reader);
    if (this.#refusals.awaited.size === 0) this.#lookUp(this.#refusals);
  }

  #gather(): Refusals {
    const refusals: Refusals = { readers: [], awaited: new Set(this.#fetching) };
    // Others may wait at the log's end, with nothing to say.
    delay(MAX_GATHERING_MS, this.#context.signal).then(
      () => this.#lookUp(refusals),
      () => undefined,
    );
    return refusals;
  }

  #lookUp(refusals: Refusals): void {
    if (this.#refusals !== refusals) return;
    this.#refusals = undefined;
    void this.#reset(refusals.readers);
  }

  #isWorthRetrying(reader: PartitionReader, error: Error): boolean {
    if (!(error instanceof LogSourceError)) return false;
    const unknown = error.code === "UNKNOWN_TOPIC" || error.code === "UNKNOWN_PARTITION";
    return error.retryable || (unknown && reader.failures + 1 < MAX_UNKNOWN_ATTEMPTS);
  }

  #retryLater(reader: PartitionReader, error: Error): void {
    const { topic, signal, emit, wake } = this.#context;
    const retryInMs = Math.round(backoffMs(reader.failures, RETRY_BASE_MS, RETRY_MAX_MS));
    reader.failures += 1;
    reader.retryAt = performance.now() + retryInMs;
    emit({ type: "fetch-failed", topic, partition: reader.partition, error, retryInMs });
    delay(retryInMs, signal).then(
      () => {
        reader.retryAt = 0;
        wake();
      },
      () => undefined,
    );
  }

  /** Asks the reset policy for all refused partitions in one lookup. Those refused later have one of their own. */
  async #reset(readers: readonly PartitionReader[]): Promise<void> {
    const { source, topic, resetPolicy, signal, wake } = this.#context;
    const undecided = new Map(readers.map((reader) => [reader.partition, reader]));
    const questions = readers.map(({ partition, refusedOffset = -1n }) => ({
      partition,
      requested: refusedOffset,
      lastOffsetFetched: refusedOffset,
    }));
    try {
      await chooseOffsets(source, topic, resetPolicy, "beyond-log", questions, signal, (partition, choice) => {
        const reader = undecided.get(partition);
        // An answer that comes late is for a loop that is over, or a partition that is not read any more.
        if (reader === undefined || signal.aborted) return;
        undecided.delete(partition);
        reader.busy = false;
        if (choice instanceof Error) reader.error = choice;
        else if (!reader.dropped) this.#moved(reader, choice);
        wake();
      });
    } catch (error) {
      for (const reader of undecided.values()) this.#failed(reader, reader.nextFetch, error);
    }
  }

  #moved(reader: PartitionReader, choice: OffsetChoice): void {
    const { topic, resetPolicy, refused, moved, emit } = this.#context;
    const { offset: to, bounds } = choice;
    const { partition, refusedOffset: from = -1n } = reader;
    reader.moveTo(to, bounds.latest);
    refused.delete(partition);
    moved(partition, to);
    emit(resetEvent({ topic, partition, policy: resetPolicy.name, from, to, ...bounds }));
  }
}

/**
 * What is told of a reset. Below the log all offsets from the old to the new position are skipped. A log that ends before
 * the old position was made anew or cut: as far as anybody can tell, none of what it has was read.
 */
export function resetEvent(reset: {
  readonly topic: string;
  readonly partition: number;
  readonly policy: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly earliest: bigint;
  readonly latest: bigint;
}): ConsumerEvent {
  const { from, to, earliest } = reset;
  const isBelow = from < earliest;
  return {
    type: "reset",
    ...reset,
    reason: isBelow ? "below-log" : "beyond-log",
    skipped: isBelow ? to - from : to - earliest,
  };
}
