import { backoffMs, delay } from "../driver/deadline.ts";
import { emitter } from "../emitter.ts";
import type { LogRecord, LogSource } from "../log-source.ts";
import { defaultOffsetResetPolicy } from "../offset-reset-policy.ts";
import type { CallOptions } from "../offset-store.ts";
import type { OffsetSession, OffsetSessionEvent, RecordPosition } from "../session/offset-session.ts";
import type { Consumer, ConsumerEvent } from "./consumer.ts";
import { ConsumerLoop } from "./consumer-loop.ts";
import type { ResolvedConsumerOptions, ResolvedStart } from "./consumer-options.ts";
import { lookUpBounds } from "./log-bounds.ts";
import { resetEvent } from "./partition-fetcher.ts";
import { PartitionReader } from "./partition-reader.ts";
import { type PositionKeeper, UntrackedPositions } from "./position-keeper.ts";
import { startOffsets } from "./start-offsets.ts";
import { topicTtl } from "./topic-ttl.ts";

// With flushInterval 0 a position that cannot be written is tried again after this, until the store is back.
const UNFLUSHED_RETRY_BASE_MS = 50;
const UNFLUSHED_RETRY_MAX_MS = 1_000;

/** A consumer over a log source: loops in front, a session (or nobody) behind. */
export class LogConsumer<Transaction> implements Consumer<Transaction> {
  readonly topic: string;
  readonly #source: LogSource;
  readonly #options: ResolvedConsumerOptions;
  readonly #isAuto: boolean;
  readonly #emit: (event: ConsumerEvent) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #untracked = new UntrackedPositions();
  readonly #partitions = new Set<number>();
  readonly #closed = new AbortController();
  // Partitions whose position was gone once: what was handed out before may be of another log.
  readonly #moved = new Set<number>();
  readonly #refused = new Map<number, bigint>();
  // Inside a transaction a position only goes forward: one that was moved is durable before the next record is handed out.
  #commitsWithin = false;
  #hasMovedPosition = false;
  #unflushedAttempts = 0;
  #session: OffsetSession<Transaction> | undefined;
  #loop: ConsumerLoop | undefined;
  #refreshTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    source: LogSource,
    options: ResolvedConsumerOptions,
    onEvent: ((event: ConsumerEvent) => void) | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.topic = options.topic;
    this.#source = source;
    this.#options = options;
    this.#isAuto = options.session.strategy === "auto";
    this.#emit = emitter(onEvent);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get strategy(): ResolvedConsumerOptions["session"]["strategy"] {
    return this.#options.session.strategy;
  }

  get partitions(): readonly number[] {
    return [...this.#partitions].toSorted((a, b) => a - b);
  }

  position(partition: number): bigint | undefined {
    return this.#keeper.position(partition);
  }

  commit(record?: RecordPosition): void {
    const session = this.#committing("commit");
    if (!this.#isAuto) return session.commit(record);
    // All but the record in hand is committed already, and it alone was not announced to the session.
    const inHand = this.#loop?.inHand;
    if (record !== undefined && this.#moved.has(record.partition)) {
      if (record.partition !== inHand?.partition || record.offset !== inHand.offset) return;
    }
    session.commit(record ?? inHand);
  }

  acknowledge(record: RecordPosition): void {
    this.#committing("acknowledge").acknowledge(record);
  }

  async commitWithin(transaction: Transaction, record: RecordPosition, options?: CallOptions): Promise<void> {
    await this.#committing("commitWithin").commitWithin(transaction, record, options);
  }

  async flush(options?: CallOptions): Promise<void> {
    await this.#committing("flush").flush(options);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#signal?.removeEventListener("abort", this.#onAbort);
      clearInterval(this.#refreshTimer);
      this.#closed.abort();
      this.#loop?.end();
      await this.#session?.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<LogRecord, void, undefined> {
    if (this.#closing !== undefined) throw new Error(`the consumer of topic ${JSON.stringify(this.topic)} is closed`);
    if (this.#loop?.ended === false) {
      throw new Error("one loop at a time: leave the first one, or create a second consumer");
    }
    this.#loop = new ConsumerLoop(
      {
        before: (previous) => this.#before(previous),
        blocked: () => this.#blocked(),
        unblocked: (signal) => this.#unblocked(signal),
        delivered: (record) => {
          if (!this.#isAuto) this.#keeper.deliver(record);
        },
        moved: (partition, to) => {
          this.#moved.add(partition);
          if (this.#commitsWithin) {
            this.#session?.reposition(partition, to, { durable: true });
            this.#hasMovedPosition = true;
          } else this.#keeper.reposition(partition, to);
        },
        left: () => this.#left(),
      },
      {
        source: this.#source,
        topic: this.topic,
        maxBytes: this.#options.maxBytes,
        maxBufferedBytes: this.#options.maxBufferedBytes,
        maxWait: this.#options.maxWait,
        resetPolicy: this.#options.resetPolicy,
        refused: this.#refused,
        emit: this.#emit,
      },
      (signal) => this.#openReaders(signal),
    );
    return this.#loop;
  }

  /** Takes the session over; its events come through {@link LogConsumer.heard}. */
  attach(session: OffsetSession<Transaction>, hasTransactions: boolean): void {
    this.#session = session;
    this.#commitsWithin = hasTransactions && session.strategy === "manual";
  }

  /** Hears what the session tells. */
  heard(event: OffsetSessionEvent): void {
    this.#emit(event);
    if (event.type === "flush-failed") {
      for (const { partition } of event.keys) {
        const refusal = this.#session?.refusal(partition);
        if (refusal !== undefined) this.#loop?.refuse(partition, refusal);
      }
      return;
    }
    if (event.type !== "fenced") return;
    if (this.#session?.fenced !== undefined) this.#loop?.wake();
    else {
      this.#partitions.delete(event.key.partition);
      this.#loop?.drop(event.key.partition);
    }
  }

  /**
   * Begins to read partitions: from what is stored, or from `start`; a position that was resolved is durable when this
   * resolves. `storedPositions` are those of a consumer that only reads them.
   */
  async begin(
    partitions: readonly number[],
    start: ResolvedStart,
    storedPositions?: ReadonlyMap<number, bigint>,
  ): Promise<void> {
    const { topic } = this;
    for (const [partition, nextOffset] of storedPositions ?? []) this.#untracked.reposition(partition, nextOffset);
    const fresh = partitions.filter((partition) => this.#keeper.position(partition) === undefined);
    const signal =
      this.#signal === undefined ? this.#closed.signal : AbortSignal.any([this.#signal, this.#closed.signal]);
    const { choices, resets } = await startOffsets(
      this.#source,
      topic,
      start,
      this.#options.resetPolicy,
      fresh,
      signal,
    );
    // All or nothing: a start that one partition lacks must not be stored for the others.
    for (const choice of choices.values()) if (choice instanceof Error) throw choice;
    const wantsTopicTtl = fresh.length > 0 && this.#session !== undefined && this.#options.session.ttl === undefined;
    const ttl = wantsTopicTtl ? await topicTtl(this.#source, topic, { signal }) : undefined;
    for (const partition of fresh) {
      const choice = choices.get(partition);
      if (choice === undefined || choice instanceof Error) throw new Error(`partition ${partition} got no start`);
      if (this.#session === undefined) this.#untracked.reposition(partition, choice.offset);
      else this.#session.startAt(partition, choice.offset, { ttl });
      const reset = resets.find((candidate) => candidate.partition === partition);
      if (reset === undefined) continue;
      const policy = this.#options.resetPolicy.name;
      this.#emit(resetEvent({ topic, partition, policy, from: reset.requested, to: choice.offset, ...choice.bounds }));
    }
    if (fresh.length > 0) await this.#session?.flush({ signal });
    for (const partition of partitions) {
      this.#partitions.add(partition);
      const nextOffset = this.#keeper.position(partition) ?? 0n;
      this.#emit({ type: fresh.includes(partition) ? "started" : "resumed", topic, partition, nextOffset });
    }
  }

  /** Looks for new partitions from time to time. */
  refreshPartitions(): void {
    let refreshing = false;
    this.#refreshTimer = setInterval(() => {
      if (refreshing || this.#session?.fenced !== undefined) return;
      refreshing = true;
      this.#addPartitions()
        .catch((error: unknown) => {
          if (this.#closed.signal.aborted || this.#session?.fenced !== undefined) return;
          const known = error instanceof Error ? error : new Error(String(error), { cause: error });
          this.#emit({ type: "refresh-failed", topic: this.topic, error: known });
        })
        .finally(() => {
          refreshing = false;
        });
    }, this.#options.partitionRefreshInterval);
    this.#refreshTimer.unref();
  }

  async #addPartitions(): Promise<void> {
    const { signal } = this.#closed;
    const current = await this.#source.partitions(this.topic, { signal });
    // The session tells a partition that it lost from one that it never had.
    const isAdded = (partition: number): boolean =>
      !this.#partitions.has(partition) && this.#session?.hasLost(partition) !== true;
    const added = current.filter(isAdded);
    if (added.length === 0) return;
    await this.#session?.claim(added, { signal });
    await this.begin(added, { kind: "policy", policy: defaultOffsetResetPolicy });
    for (const partition of added) {
      this.#emit({ type: "partition-added", topic: this.topic, partition });
      const position = this.#keeper.position(partition);
      if (position !== undefined && !this.#options.untilEnd) {
        this.#loop?.add(new PartitionReader(partition, position, undefined));
      }
    }
  }

  readonly #onAbort = (): void => {
    this.#loop?.fail(this.#signal?.reason);
  };

  get #keeper(): PositionKeeper {
    return this.#session ?? this.#untracked;
  }

  #before(previous: LogRecord | undefined): void {
    if (this.#signal?.aborted === true) throw this.#signal.reason;
    const session = this.#session;
    if (session === undefined) return;
    if (session.fenced !== undefined) throw session.fenced;
    if (previous !== undefined && this.#isAuto) session.commit(previous);
  }

  #blocked(): boolean {
    const session = this.#session;
    if (session === undefined) return false;
    if (this.#hasMovedPosition && !session.unflushed) this.#hasMovedPosition = false;
    const flushesFirst = this.#hasMovedPosition || this.#options.session.flushInterval === 0;
    return session.stalled || (flushesFirst && session.unflushed);
  }

  async #unblocked(signal: AbortSignal): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    if (session.stalled) return session.whenReady({ signal });
    try {
      await session.flush({ signal });
      this.#unflushedAttempts = 0;
    } catch {
      // A failed write is an event; what it means for the loop is decided when the wait is over.
      const pauseMs = backoffMs(this.#unflushedAttempts, UNFLUSHED_RETRY_BASE_MS, UNFLUSHED_RETRY_MAX_MS);
      this.#unflushedAttempts += 1;
      await delay(session.fenced === undefined ? pauseMs : 0, signal);
    }
  }

  async #left(): Promise<void> {
    const session = this.#session;
    // Whoever aborts does not wait for a store that may never answer.
    if (session === undefined || this.#closing !== undefined || this.#signal?.aborted === true) return;
    if (session.fenced === undefined) await session.flush({ signal: this.#signal });
  }

  async #openReaders(signal: AbortSignal): Promise<PartitionReader[]> {
    const ends = this.#options.untilEnd
      ? await lookUpBounds(this.#source, this.topic, this.partitions, { signal })
      : undefined;
    // Partitions may have come and gone meanwhile.
    const partitions = this.partitions.filter((partition) => ends === undefined || ends.has(partition));
    return partitions.map((partition) => {
      const position = this.#keeper.position(partition) ?? 0n;
      // What an earlier loop handed out and nobody committed comes again.
      this.#keeper.reposition(partition, position);
      // Who moved the position past what was refused has decided already.
      if ((this.#refused.get(partition) ?? position) < position) this.#refused.delete(partition);
      return new PartitionReader(partition, position, ends?.get(partition)?.latest, this.#refused.get(partition));
    });
  }

  #committing(verb: string): OffsetSession<Transaction> {
    if (this.#session !== undefined) return this.#session;
    throw new Error(`${verb} needs a consumer that commits: give store and consumer, and a strategy other than "none"`);
  }
}
