import { backoffMs, delay } from "../driver/deadline.ts";
import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import type { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { LogRecord, LogSource } from "../log-source.ts";
import { defaultOffsetResetPolicy } from "../offset-reset-policy.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { CallOptions } from "../offset-store.ts";
import type { CommitRecordOptions, OffsetSessionEvent, RecordPosition } from "../session/offset-session.ts";
import type { StoreOffsetSession } from "../session/store-offset-session.ts";
import type { OffsetChoice } from "./ask-policy.ts";
import { BatchCollector } from "./batch-collector.ts";
import { ConsumedPartition } from "./consumed-partition.ts";
import type {
  BatchesOptions,
  CommitStrategy,
  Consumer,
  ConsumerEvent,
  ProcessOptions,
  RecordBatch,
  RecordHandler,
} from "./consumer.ts";
import { resolveBatchesOptions, type ResolvedConsumerOptions, resolveProcessOptions } from "./consumer-options.ts";
import { lookUpBounds, type OffsetLookup } from "./log-bounds.ts";
import { Reading, type ReadingOwner } from "./reading.ts";
import { type LoopOwner, ReadingLoop } from "./reading-loop.ts";
import { type ProcessorOwner, RecordProcessor } from "./record-processor.ts";
import { refreshEvery } from "./refresh-timer.ts";
import { resetEvent } from "./reset-event.ts";
import type { ResolvedStart } from "./start-position.ts";
import { topicTtl } from "./topic-ttl.ts";
import { startOffsets } from "./where-to-read.ts";

// A position that must be durable before reading goes on is tried again after this, until the store is back.
const UNFLUSHED_RETRY_BASE_MS = 50;
const UNFLUSHED_RETRY_MAX_MS = 1_000;

/** A consumer over a log source: a reading in front, a session (or nobody) behind. */
export class LogConsumer<Transaction> implements Consumer, ReadingOwner, LoopOwner, ProcessorOwner {
  readonly topic: string;
  readonly strategy: CommitStrategy;
  readonly #source: LogSource;
  readonly #log: OffsetLookup;
  readonly #options: ResolvedConsumerOptions;
  readonly #emit: (event: ConsumerEvent) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #partitions = new Map<number, ConsumedPartition>();
  readonly #closed = new AbortController();
  #session: StoreOffsetSession<Transaction> | undefined;
  // The one reading that there is, or the last that there was.
  #loop: { readonly reading: Reading; readonly inHand: LogRecord | RecordBatch | undefined } | undefined;
  #processor: RecordProcessor | undefined;
  #processing: Promise<void> | undefined;
  #stopRefreshing: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    source: LogSource,
    options: ResolvedConsumerOptions,
    emit: (event: ConsumerEvent) => void,
    signal: AbortSignal | undefined,
  ) {
    this.topic = options.topic;
    this.strategy = options.strategy;
    this.#source = source;
    this.#log = { topic: options.topic, listOffsets: source.listOffsets.bind(source, options.topic) };
    this.#options = options;
    this.#emit = emit;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get partitions(): readonly number[] {
    return [...this.#partitions.keys()].toSorted((a, b) => a - b);
  }

  position(partition: number): bigint | undefined {
    return this.#session === undefined ? this.#partitions.get(partition)?.position : this.#session.position(partition);
  }

  epoch(partition: number): number | undefined {
    return this.#session?.epoch(partition);
  }

  commit(done?: RecordPosition | RecordBatch, options?: CommitRecordOptions): void {
    const session = this.#committing("commit");
    const record = done === undefined ? undefined : lastOf(done);
    const inHand = this.#loop?.inHand;
    const last = inHand === undefined ? undefined : lastOf(inHand);
    // Of an `auto` consumer all but what is in hand is committed already, and a copy of it means the same.
    const isInHand = record?.partition === last?.partition && record?.offset === last?.offset;
    if (this.strategy === "auto" && record !== undefined && isInHand) session.commit(undefined, options);
    else session.commit(record, options);
  }

  acknowledge(record: RecordPosition): void {
    this.#manual("acknowledge").acknowledge(record);
    this.#loop?.reading.resume(this.#partitions.get(record.partition));
  }

  async commitWithin(
    transaction: Transaction,
    done: RecordPosition | RecordBatch,
    options?: CallOptions,
  ): Promise<void> {
    const nextOffset = "records" in done ? done.nextOffset : undefined;
    await this.#manual("commitWithin").commitWithin(transaction, lastOf(done), options, nextOffset);
  }

  lag(): ReadonlyMap<number, bigint> {
    const lags = new Map<number, bigint>();
    for (const [number, { highWatermark }] of this.#partitions) {
      const position = this.position(number);
      if (highWatermark === undefined || position === undefined) continue;
      lags.set(number, highWatermark > position ? highWatermark - position : 0n);
    }
    return lags;
  }

  async flush(options?: CallOptions): Promise<void> {
    await this.#committing("flush").flush(options);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#signal?.removeEventListener("abort", this.#onAbort);
      this.#stopRefreshing?.();
      this.#closed.abort();
      this.#loop?.reading.end();
      await this.#processing?.catch(() => undefined);
      await this.#session?.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<LogRecord, void, undefined> {
    const reading = this.#beginReading();
    const loop = new ReadingLoop(reading, reading, this);
    this.#loop = loop;
    return loop;
  }

  batches(options: BatchesOptions = {}): AsyncIterable<RecordBatch, void, undefined> {
    const resolved = resolveBatchesOptions(options);
    return {
      [Symbol.asyncIterator]: () => {
        const reading = this.#beginReading();
        const collector = new BatchCollector(reading, resolved, (partition, records) =>
          this.#handOutBatch(partition, records),
        );
        const loop = new ReadingLoop(reading, collector, this);
        this.#loop = loop;
        return loop;
      },
    };
  }

  async process(handler: RecordHandler, options: ProcessOptions = {}): Promise<void> {
    const resolved = resolveProcessOptions(handler, options);
    const reading = this.#beginReading();
    this.#loop = { reading, inHand: undefined };
    this.#processor = new RecordProcessor(reading, handler, resolved, this);
    this.#processing = this.#process(reading, this.#processor);
    await this.#processing;
  }

  async #process(reading: Reading, processor: RecordProcessor): Promise<void> {
    try {
      await this.open(reading);
      await processor.run(this.#signal);
    } catch (error) {
      reading.end();
      // The failure itself is what the caller has to hear.
      await this.left().catch(() => undefined);
      if (reading.signal.aborted && error === reading.signal.reason) return;
      throw error;
    } finally {
      reading.end();
      this.#processor = undefined;
    }
    await this.left();
  }

  #beginReading(): Reading {
    const name = `the consumer of topic ${JSON.stringify(this.topic)}`;
    if (this.#closing !== undefined) throw new ConsumerStateError(`${name} is closed`, { code: "CLOSED" });
    if (this.#loop?.reading.isOver === false) {
      const message = `${name} is being read: leave that loop first, or create a second consumer`;
      throw new ConsumerStateError(message, { code: "ALREADY_READING" });
    }
    const { maxBytes, maxBufferedBytes, maxWait, resetPolicy } = this.#options;
    const options = { source: this.#source, topic: this.topic, maxBytes, maxBufferedBytes, maxWait, resetPolicy };
    return new Reading({ ...options, emit: this.#emit }, this);
  }

  #handOutBatch(partition: ConsumedPartition, taken: readonly LogRecord[]): RecordBatch | undefined {
    const records = taken.filter((record) => this.handsOut(partition, record));
    const last = records.at(-1);
    const isLast = !partition.isFilled && last === taken.at(-1);
    if (!partition.isFilled) this.caughtUp(partition);
    if (last === undefined) return undefined;
    const { number, nextFetch } = partition;
    const nextOffset = isLast ? nextFetch : last.offset + 1n;
    return { partition: number, records, nextOffset, epoch: this.epoch(number) ?? 0 };
  }

  /** Takes the session over; its events come through {@link LogConsumer.heard}. */
  attach(session: StoreOffsetSession<Transaction>): void {
    this.#session = session;
  }

  /** Hears what the session tells. */
  heard(event: OffsetSessionEvent): void {
    this.#emit(event);
    const reading = this.#loop?.reading;
    if (event.type === "flush-failed") {
      for (const { partition } of event.keys) {
        const refusal = this.#session?.held(partition)?.refusal;
        const consumed = this.#partitions.get(partition);
        if (refusal !== undefined && consumed !== undefined) reading?.refuse(consumed, refusal);
      }
    } else if (event.type === "fenced") {
      const { partition } = event.key;
      const consumed = this.#partitions.get(partition);
      if (this.#session?.fenced !== undefined || consumed === undefined) return reading?.wake();
      this.#partitions.delete(partition);
      reading?.drop(consumed);
    }
  }

  /**
   * Takes partitions in: from what is stored, or from `start`; a position that was resolved is durable when this resolves.
   * `storedPositions` are those of a consumer that only reads them.
   */
  async begin(
    partitions: readonly number[],
    start: ResolvedStart,
    storedPositions?: ReadonlyMap<number, OffsetRecord>,
  ): Promise<void> {
    const { topic } = this;
    const session = this.#session;
    const positionOf = (partition: number): bigint | undefined =>
      session === undefined ? storedPositions?.get(partition)?.nextOffset : session.position(partition);
    const fresh = partitions.filter((partition) => positionOf(partition) === undefined);
    const { resetPolicy } = this.#options;
    const signal =
      this.#signal === undefined ? this.#closed.signal : AbortSignal.any([this.#signal, this.#closed.signal]);
    const choices = await startOffsets(this.#log, start, resetPolicy, fresh, signal);
    // All or nothing: a start that one partition lacks must not be stored for the others.
    for (const choice of choices.values()) if (choice instanceof Error) throw choice;
    const wantsTopicTtl = fresh.length > 0 && session !== undefined && this.#options.session.ttl === undefined;
    const ttl = wantsTopicTtl ? await topicTtl(this.#source, topic, { signal }) : undefined;
    const started = new Map<number, bigint>();
    const marks = new Map<number, string | undefined>();
    for (const partition of fresh) {
      const choice = choices.get(partition);
      if (choice === undefined || choice instanceof Error) throw new Error(`partition ${partition} got no start`);
      const { nextOffset, mark, bounds, requested: from } = choice;
      session?.startAt(partition, nextOffset, { ttl, mark });
      started.set(partition, nextOffset);
      marks.set(partition, mark);
      if (from === undefined) continue;
      const reason = from < bounds.earliest.offset ? "below-log" : "beyond-log";
      this.#emit(resetEvent({ topic, partition, policy: resetPolicy.name, reason, from, choice }));
    }
    if (fresh.length > 0) await session?.flush({ signal });
    for (const partition of partitions) {
      const nextOffset = positionOf(partition) ?? started.get(partition) ?? 0n;
      const mark = storedPositions?.get(partition)?.mark ?? marks.get(partition);
      this.#partitions.set(partition, new ConsumedPartition(partition, nextOffset, mark));
      this.#emit({ type: started.has(partition) ? "started" : "resumed", topic, partition, nextOffset });
    }
  }

  /** Looks for new partitions from time to time. */
  refreshPartitions(): void {
    this.#stopRefreshing = refreshEvery(
      this.#options.partitionRefreshInterval,
      async () => {
        if (this.#session?.fenced === undefined) await this.#addPartitions();
      },
      (error) => {
        if (this.#closed.signal.aborted || this.#session?.fenced !== undefined) return;
        this.#emit({ type: "refresh-failed", topic: this.topic, error });
      },
    );
  }

  check(): void {
    if (this.#signal?.aborted === true) throw this.#signal.reason;
    if (this.#session?.fenced !== undefined) throw this.#session.fenced;
  }

  isBlocked(): boolean {
    const session = this.#session;
    if (session === undefined) return false;
    return session.isStalled || (this.#options.session.flushInterval === 0 && session.hasUnflushed);
  }

  async unblocked(signal: AbortSignal): Promise<void> {
    if (this.#session?.isStalled === true) return this.#session.whenReady({ signal });
    await this.#untilDurable(() => this.#session?.hasUnflushed === false, signal);
  }

  handsOut({ mark }: ConsumedPartition, record: LogRecord): boolean {
    if (this.#session === undefined) return true;
    return this.#isAcknowledging ? this.#session.deliver(record, mark) : this.#session.handOut(record, mark);
  }

  hasRoom(partition: ConsumedPartition): boolean {
    if (this.#processor?.hasRoom(partition) === false) return false;
    return !this.#isAcknowledging || this.#session?.held(partition.number)?.waitingFor === undefined;
  }

  isHeld(partition: ConsumedPartition): boolean {
    return this.#partitions.get(partition.number) === partition;
  }

  done(record: LogRecord): void {
    this.#session?.acknowledge(record);
  }

  caughtUp({ number, nextFetch, isHeldBack }: ConsumedPartition): void {
    if (!isHeldBack) this.#session?.passOver(number, nextFetch);
  }

  async moved(
    partition: ConsumedPartition,
    { reason, requested: from }: OffsetOutOfRangeError,
    choice: OffsetChoice,
    signal: AbortSignal,
  ): Promise<void> {
    const { topic } = this;
    const { number } = partition;
    this.#session?.resetTo(number, choice.nextOffset, reason, { mark: choice.mark });
    this.#emit(resetEvent({ topic, partition: number, policy: this.#options.resetPolicy.name, reason, from, choice }));
    await this.#untilSettled(partition, signal);
  }

  async open(reading: Reading): Promise<void> {
    const { signal } = reading;
    const ends = this.#options.untilEnd ? await lookUpBounds(this.#log, this.partitions, signal) : undefined;
    const partitions = [...this.#partitions.values()];
    for (const partition of partitions) {
      const held = this.#session?.held(partition.number);
      // What an earlier loop handed out and nobody committed comes again.
      held?.reread();
      const mark = this.#session === undefined ? partition.mark : held?.mark;
      partition.begin(this.position(partition.number) ?? 0n, mark, ends?.get(partition.number)?.latest.offset);
    }
    reading.add(partitions, (partition) => this.#untilSettled(partition, signal));
  }

  before(partition: number | undefined): void {
    this.check();
    if (partition !== undefined && this.strategy === "auto") this.#session?.commitHandedOut(partition);
  }

  async left(): Promise<void> {
    const session = this.#session;
    // Whoever aborts does not wait for a store that may never answer.
    if (session === undefined || this.#closing !== undefined || this.#signal?.aborted === true) return;
    if (session.fenced === undefined) await session.flush({ signal: this.#signal });
  }

  /** A reset is durable before the next record is handed out. */
  #untilSettled({ number }: ConsumedPartition, signal: AbortSignal): Promise<void> {
    return this.#untilDurable(() => this.#session?.held(number)?.isMoving !== true, signal);
  }

  /** Flushes until something is durable; what fails is an event, and tried again. */
  async #untilDurable(isDurable: () => boolean, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !isDurable(); attempt += 1) {
      try {
        await this.#session?.flush({ signal });
      } catch {
        if (this.#session?.fenced !== undefined) return;
      }
      // Also a flush that says nothing may have left it out: a caller's transaction is open.
      if (isDurable()) return;
      await delay(backoffMs(attempt, UNFLUSHED_RETRY_BASE_MS, UNFLUSHED_RETRY_MAX_MS), signal);
    }
  }

  async #addPartitions(): Promise<void> {
    const { signal } = this.#closed;
    const current = await this.#source.partitions(this.topic, { signal });
    // One that was lost is not claimed back.
    const added = current.filter(
      (partition) => !this.#partitions.has(partition) && this.#session?.hasLost(partition) !== true,
    );
    if (added.length === 0) return;
    await this.#session?.claim(added, { signal });
    await this.begin(added, { kind: "policy", policy: defaultOffsetResetPolicy });
    const reading = this.#loop?.reading;
    for (const number of added) {
      this.#emit({ type: "partition-added", topic: this.topic, partition: number });
      const partition = this.#partitions.get(number);
      if (partition === undefined || reading === undefined || reading.isOver || this.#options.untilEnd) continue;
      partition.begin(this.position(number) ?? 0n, this.#session?.held(number)?.mark, undefined);
      reading.add([partition]);
    }
  }

  /** Whether each record is acknowledged, in whatever order. */
  get #isAcknowledging(): boolean {
    return this.strategy === "manual" || this.#processor !== undefined;
  }

  readonly #onAbort = (): void => {
    this.#loop?.reading.fail(this.#signal?.reason);
  };

  #committing(verb: string): StoreOffsetSession<Transaction> {
    if (this.#session !== undefined) return this.#session;
    const message = `${verb} needs a consumer that commits: give store and consumer, and a strategy other than "none"`;
    throw new ConsumerStateError(message, { code: "NEEDS_MANUAL" });
  }

  #manual(verb: string): StoreOffsetSession<Transaction> {
    const session = this.#committing(verb);
    if (this.strategy === "manual") return session;
    const message = `${verb} needs strategy "manual": with "auto" the next record commits the previous one`;
    throw new ConsumerStateError(message, { code: "NEEDS_MANUAL" });
  }
}

/** The last record of a batch, or the record itself. A copy of a record is one, too. */
function lastOf(done: RecordPosition | RecordBatch): RecordPosition {
  if (!("records" in done)) return done;
  const last = done.records.at(-1);
  if (last === undefined) throw new TypeError("a batch without records has nothing to commit");
  return last;
}
