import { traced } from "../diagnostics/channels.ts";
import { backoffMs, delay } from "../driver/deadline.ts";
import { LogSourceError } from "../errors/log-source-error.ts";
import { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { LogSource } from "../log-source.ts";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import { askPolicy, type OffsetChoice, type OffsetQuestion } from "./ask-policy.ts";
import type { ConsumedPartition } from "./consumed-partition.ts";
import type { ConsumerEvent } from "./consumer.ts";
import { FetchBudget } from "./fetch-budget.ts";
import { logOf } from "./log-bounds.ts";

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 5_000;
// A topic that is being recreated is unknown for a moment; one that stays unknown is an error.
const MAX_UNKNOWN_ATTEMPTS = 6;
// A log that refuses again and again what its own bounds allow is not asked forever (section 6).
const MAX_RESETS = 5;
// How long a refused partition waits for those that are being fetched with it, to be looked up together.
const MAX_GATHERING_MS = 500;

/** How a fetcher reads its log. */
export interface FetcherOptions {
  readonly source: LogSource;
  readonly consumer: string | undefined;
  readonly topic: string;
  readonly maxBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxWait: number;
  readonly resetPolicy: OffsetResetPolicy;
  readonly emit: (event: ConsumerEvent) => void;
}

/** Whom a fetcher answers. */
export interface FetcherOwner {
  /** The partitions that are read now. */
  readonly partitions: ReadonlySet<ConsumedPartition>;
  /** The log has answered: with records, with none, or with an error that does not pass. */
  answered(partition: ConsumedPartition): void;
  /** The position no longer exists; reading continues as chosen, as soon as the owner fetches again. */
  moved(partition: ConsumedPartition, refused: OffsetOutOfRangeError, choice: OffsetChoice): void;
}

/** Partitions that the log refused at about the same time, to be looked up in one call. */
interface Refusals {
  readonly partitions: ConsumedPartition[];
  /** Those that were being fetched when the first was refused: the log refuses each in an answer of its own. */
  readonly awaited: Set<ConsumedPartition>;
}

/** Fetches the partitions of one loop; sends those whose offset the log refuses to the reset policy, together. */
export class PartitionFetcher {
  readonly #options: FetcherOptions;
  readonly #owner: FetcherOwner;
  readonly #signal: AbortSignal;
  readonly #budget: FetchBudget;
  readonly #fetching = new Set<ConsumedPartition>();
  #refusals: Refusals | undefined;

  constructor(options: FetcherOptions, owner: FetcherOwner, signal: AbortSignal) {
    this.#options = options;
    this.#owner = owner;
    this.#signal = signal;
    this.#budget = new FetchBudget(options.maxBufferedBytes, options.maxBytes);
  }

  /** The partition is not read any more. */
  release(partition: ConsumedPartition): void {
    this.#budget.release(partition);
  }

  /** Begins one fetch. The owner begins no other before it is answered. */
  fetch(partition: ConsumedPartition): void {
    // What was refused is not asked for again before it is decided: by then a new log may have grown past it.
    if (partition.refused !== undefined) return this.#refuse(partition);
    const { source, consumer, topic, maxWait } = this.#options;
    const { nextFetch: offset, mark } = partition;
    this.#fetching.add(partition);
    partition.fetchedAt = performance.now();
    const maxBytes = this.#budget.take(partition, this.#owner.partitions.size);
    const request = { topic, partition: partition.number, offset, maxBytes, maxWait, mark, signal: this.#signal };
    // A source that throws instead of rejecting fails all the same.
    Promise.resolve()
      .then(() =>
        traced(
          "tidemark:fetch",
          () => source.fetch(request),
          () => ({ consumer, topic, partition: partition.number, offset, maxBytes, maxWait }),
        ),
      )
      .then((result) => {
        // An answer that comes late is for a loop that is over, or a partition that is not read any more.
        if (this.#signal.aborted || !this.#owner.partitions.has(partition)) return;
        partition.fill(result);
        this.#owner.answered(partition);
      })
      .catch((error: unknown) => this.#failed(partition, error))
      .finally(() => {
        this.#fetching.delete(partition);
        this.#refusals?.awaited.delete(partition);
        if (this.#refusals?.awaited.size === 0) this.#lookUp(this.#refusals);
      });
  }

  #failed(partition: ConsumedPartition, error: unknown): void {
    if (this.#signal.aborted || !this.#owner.partitions.has(partition)) return;
    if (error instanceof OffsetOutOfRangeError) {
      partition.refused = { offset: partition.nextFetch, error };
      if (partition.resets < MAX_RESETS) {
        if (partition.resets === 0) this.#refuse(partition);
        else this.#later(backoffMs(partition.resets - 1, RETRY_BASE_MS, RETRY_MAX_MS), () => this.#refuse(partition));
        return;
      }
    }
    const known = error instanceof Error ? error : new Error(String(error), { cause: error });
    partition.hasAnswered = true;
    if (isWorthRetrying(partition, known)) this.#retryLater(partition, known);
    else partition.error = known;
    this.#owner.answered(partition);
  }

  #retryLater(partition: ConsumedPartition, error: Error): void {
    const { topic, emit } = this.#options;
    const retryInMs = Math.round(backoffMs(partition.failures, RETRY_BASE_MS, RETRY_MAX_MS));
    partition.failures += 1;
    emit({ type: "fetch-failed", topic, partition: partition.number, error, retryInMs });
    this.#later(retryInMs, () => {
      // One that went to another meanwhile holds nothing of the budget any more.
      if (this.#owner.partitions.has(partition)) this.fetch(partition);
    });
  }

  #later(milliseconds: number, then: () => void): void {
    delay(milliseconds, this.#signal).then(then, () => undefined);
  }

  #refuse(partition: ConsumedPartition): void {
    this.#refusals ??= this.#gather();
    this.#refusals.partitions.push(partition);
    if (this.#refusals.awaited.size === 0) this.#lookUp(this.#refusals);
  }

  #gather(): Refusals {
    const refusals: Refusals = { partitions: [], awaited: new Set(this.#fetching) };
    // Others may wait at the log's end, with nothing to say.
    this.#later(MAX_GATHERING_MS, () => this.#lookUp(refusals));
    return refusals;
  }

  #lookUp(refusals: Refusals): void {
    if (this.#refusals !== refusals) return;
    this.#refusals = undefined;
    void this.#reset(refusals.partitions);
  }

  /** Asks the reset policy for all refused partitions in one lookup. Those refused later have one of their own. */
  async #reset(partitions: readonly ConsumedPartition[]): Promise<void> {
    const { source, topic, resetPolicy } = this.#options;
    const undecided = new Map(partitions.map((partition) => [partition.number, partition]));
    const questions = partitions.flatMap(({ number, refused }): OffsetQuestion[] => {
      if (refused === undefined) return [];
      const { offset, error } = refused;
      const { reason, divergedAt } = error;
      return [{ partition: number, reason, divergedAt, requested: offset, lastOffsetFetched: offset }];
    });
    try {
      await askPolicy(logOf(source, topic), resetPolicy, questions, this.#signal, (number, choice) => {
        const partition = undecided.get(number);
        const refused = partition?.refused;
        undecided.delete(number);
        if (partition === undefined || refused === undefined) return;
        if (this.#signal.aborted || !this.#owner.partitions.has(partition)) return;
        if (choice instanceof Error) {
          partition.error = choice;
          this.#owner.answered(partition);
        } else this.#owner.moved(partition, refused.error, choice);
      });
    } catch (error) {
      for (const partition of undecided.values()) this.#failed(partition, error);
    }
  }
}

function isWorthRetrying({ failures }: ConsumedPartition, error: Error): boolean {
  if (!(error instanceof LogSourceError)) return false;
  const unknown = error.code === "UNKNOWN_TOPIC" || error.code === "UNKNOWN_PARTITION";
  return error.retryable || (unknown && failures + 1 < MAX_UNKNOWN_ATTEMPTS);
}
