import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import type { LogRecord, LogSource } from "../log-source.ts";
import type { CallOptions, OffsetStore, TransactionBody } from "../offset-store.ts";
import type { CommitRecordOptions, RecordPosition } from "../session/offset-session.ts";
import { StoreOffsetSession } from "../session/store-offset-session.ts";
import { BatchCollector } from "./batch-collector.ts";
import type {
  BatchesOptions,
  CommitStrategy,
  Consumer,
  ConsumerEvent,
  ProcessOptions,
  RecordBatch,
  RecordHandler,
} from "./consumer.ts";
import type { ConsumerContext } from "./consumer-context.ts";
import { resolveBatchesOptions, type ResolvedConsumerOptions, resolveProcessOptions } from "./consumer-options.ts";
import { InHand } from "./in-hand.ts";
import { Reading } from "./reading.ts";
import { ReadingLoop } from "./reading-loop.ts";
import { RecordDelivery } from "./record-delivery.ts";
import { RecordProcessor } from "./record-processor.ts";
import { TrackedPartitions } from "./tracked-partitions.ts";

/** A consumer over a log source: a reading in front, a session (or none) behind. */
export class LogConsumer<Transaction> implements Consumer<Transaction> {
  readonly topic: string;
  readonly strategy: CommitStrategy;
  readonly #context: ConsumerContext<Transaction>;
  readonly #closed = new AbortController();
  readonly #inHand: InHand<Transaction>;
  readonly #partitions: TrackedPartitions<Transaction>;
  readonly #delivery: RecordDelivery<Transaction>;
  #processing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  // Whether closing has stored everything.
  #hasClosed = false;
  // Whether the loop that closing ended has waited for it: its caller has the failure, or one that hides it (contract 5.2).
  #isFailureTold = false;

  constructor(
    source: LogSource,
    store: OffsetStore<Transaction> | undefined,
    options: ResolvedConsumerOptions,
    emit: (event: ConsumerEvent) => void,
    signal: AbortSignal | undefined,
  ) {
    const { topic, consumer, strategy } = options;
    this.topic = topic;
    this.strategy = strategy;
    const isKept = store !== undefined && consumer !== undefined && strategy !== "none";
    const session = isKept
      ? new StoreOffsetSession(store, { consumer, topic }, options.session, (event) => this.#partitions.heard(event), {
          onAssigned: (numbers) => this.#partitions.onAssigned(numbers),
          isInHand: (number) => this.#inHand.has(number),
          onRevoked: (numbers, reason) => this.#partitions.onRevoked(numbers, reason),
        })
      : undefined;
    const closing = (): Promise<void> | undefined =>
      this.#hasClosed
        ? undefined
        : this.#closing?.catch((error: unknown) => {
            this.#isFailureTold = true;
            throw error;
          });
    this.#context = { source, store, options, session, emit, signal, closed: this.#closed.signal, closing };
    this.#inHand = new InHand(this.#context);
    this.#partitions = new TrackedPartitions(this.#context, this.#inHand);
    this.#delivery = new RecordDelivery(this.#context, this.#partitions, this.#inHand);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Begins with the partitions that the topic has; called once, and before all else. */
  async begin(existing: readonly number[]): Promise<void> {
    await this.#partitions.begin(existing);
  }

  get partitions(): readonly number[] {
    return this.#partitions.numbers;
  }

  get isStalled(): boolean {
    return this.#context.session?.isStalled === true;
  }

  position(partition: number): bigint | undefined {
    return this.#partitions.position(partition);
  }

  epoch(partition: number): number | undefined {
    return this.#context.session?.epoch(partition);
  }

  commit(done?: RecordPosition | RecordBatch, options?: CommitRecordOptions): void {
    const session = this.#committing("commit");
    this.#refuseWhileProcessing("commit");
    const record = done === undefined ? undefined : lastOf(done);
    const inHand = this.#inHand.loop?.inHand;
    const last = inHand === undefined ? undefined : lastOf(inHand);
    // Of an `auto` consumer all but what is in hand is committed already, and a copy of it means the same.
    const isInHand = record === undefined || (record.partition === last?.partition && record.offset === last.offset);
    if (this.strategy === "auto" && last !== undefined && isInHand) session.commitPartition(last.partition, options);
    else session.commit(record, options);
    this.#inHand.reading?.resumeAll();
    this.#inHand.check();
  }

  acknowledge(record: RecordPosition): void {
    this.#manual("acknowledge").acknowledge(record);
    this.#settled(record.partition);
  }

  async commitWithin(
    transaction: Transaction,
    done: RecordPosition | RecordBatch,
    options?: CallOptions,
  ): Promise<void> {
    this.#refuseWhileProcessing("commitWithin");
    const nextOffset = "records" in done ? done.nextOffset : undefined;
    await this.#manual("commitWithin").commitWithin(transaction, lastOf(done), options, nextOffset);
  }

  async transact(
    done: RecordPosition | RecordBatch,
    body: TransactionBody<Transaction>,
    options?: CallOptions,
  ): Promise<void> {
    const session = this.#committing("transact");
    const last = lastOf(done);
    const records = "records" in done ? done.records : [done];
    const nextOffset = "records" in done ? done.nextOffset : undefined;
    const { processor } = this.#inHand;
    if (processor !== undefined && processor.order !== "partition") {
      const message = `transact inside process() needs order "partition": with order "${processor.order}" later records may be done before earlier ones`;
      throw new ConsumerStateError(message, { code: "NOT_NEXT" });
    }
    // With `auto` asking for the next is what says that the last is done.
    const isInHand = this.strategy === "auto" && processor === undefined;
    if (isInHand) this.#refuseNotInHand(records[0] ?? last, last);
    await session.transact(records, body, options, { nextOffset, isNext: isInHand });
    this.#settled(last.partition);
  }

  lag(): ReadonlyMap<number, bigint> {
    return this.#partitions.lag();
  }

  async flush(options?: CallOptions): Promise<void> {
    await this.#committing("flush").flush(options);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      const { session, signal } = this.#context;
      signal?.removeEventListener("abort", this.#onAbort);
      this.#partitions.stop();
      this.#closed.abort();
      this.#inHand.reading?.end();
      session?.stopClaiming();
      if (this.#processing !== undefined) void this.#releaseWhenQuiet();
      await this.#processing?.catch(() => undefined);
      await session?.close();
      this.#hasClosed = true;
    })();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close();
    } catch (error) {
      // A second time it would be a SuppressedError.
      if (!this.#isFailureTold) throw error;
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<LogRecord, void, undefined> {
    const reading = this.#beginReading();
    const loop = new ReadingLoop(reading, reading, this.#delivery);
    this.#inHand.loop = loop;
    return loop;
  }

  batches(options: BatchesOptions = {}): AsyncIterable<RecordBatch, void, undefined> {
    const resolved = { ...resolveBatchesOptions(options), maxBytes: this.#context.options.maxBufferedBytes / 2 };
    return {
      [Symbol.asyncIterator]: () => {
        const reading = this.#beginReading(resolved.linger === 0 ? undefined : resolved.maxBytes);
        const collector = new BatchCollector(reading, resolved, (partition, records) =>
          this.#delivery.handOutBatch(partition, records),
        );
        const loop = new ReadingLoop(reading, collector, this.#delivery);
        this.#inHand.loop = loop;
        return loop;
      },
    };
  }

  async process(handler: RecordHandler, options: ProcessOptions = {}): Promise<void> {
    const { maxBufferedBytes, session } = this.#context.options;
    const maxBytes = maxBufferedBytes / 2;
    const stopTimeoutMs = session.revokeTimeout;
    const resolved = { ...resolveProcessOptions(handler, options), maxBytes, stopTimeoutMs };
    const reading = this.#beginReading(maxBytes);
    this.#inHand.loop = { reading, inHand: undefined };
    const processor = new RecordProcessor(reading, handler, resolved, this.#delivery);
    this.#inHand.processor = processor;
    this.#processing = this.#process(reading, processor).finally(() => (this.#processing = undefined));
    try {
      await this.#processing;
    } catch (error) {
      // The caller has to get the failure itself.
      await this.#delivery.closed().catch(() => undefined);
      throw error;
    }
    await this.#delivery.closed();
  }

  async #process(reading: Reading, processor: RecordProcessor): Promise<void> {
    const { signal } = this.#context;
    try {
      await this.#delivery.open(reading);
      await processor.run(signal);
      if (reading.failure !== undefined) throw reading.failure.error;
    } catch (error) {
      reading.end();
      if (signal?.aborted === true) throw signal.reason;
      // The caller has to get the failure itself; the end of the reading is none, but what ended it may be.
      await this.#delivery.flush().catch(() => undefined);
      if (error !== reading.signal.reason) throw error;
      if (reading.failure !== undefined) throw reading.failure.error;
      return;
    } finally {
      reading.end();
      this.#delivery.endProcessing(processor);
    }
    await this.#delivery.flush();
  }

  /** While handlers are waited for, others have what none works on. What cannot be released now is when the session closes. */
  async #releaseWhenQuiet(): Promise<void> {
    const { session } = this.#context;
    if (session?.isSharing !== true) return;
    await session.retire();
    const inHand = this.#partitions.numbers.filter((partition) => this.#inHand.has(partition));
    const idle = session.partitions.filter((partition) => !inHand.includes(partition));
    for (const partitions of [idle, ...inHand.map((partition) => [partition])]) {
      if (partitions.length === 0) continue;
      this.#inHand
        .quiet(partitions)
        .then(() => session.release(partitions))
        .catch(() => undefined);
    }
  }

  /** The rest of `maxBufferedBytes` is for records that wait beside the reading. */
  #beginReading(maxBufferedBytes = this.#context.options.maxBufferedBytes): Reading {
    const name = `the consumer of topic ${JSON.stringify(this.topic)}`;
    if (this.#closing !== undefined) throw new ConsumerStateError(`${name} is closed`, { code: "CLOSED" });
    if (this.#inHand.reading !== undefined || this.#processing !== undefined) {
      const message = `${name} is being read by another loop: end that loop first, or create a second consumer`;
      throw new ConsumerStateError(message, { code: "ALREADY_READING" });
    }
    const { source, options, emit } = this.#context;
    return new Reading({ ...options, source, maxBufferedBytes, emit }, this.#delivery, this.#partitions);
  }

  readonly #onAbort = (): void => {
    this.#inHand.reading?.fail(this.#context.signal?.reason);
  };

  /** Something of a partition is done. */
  #settled(partition: number): void {
    const consumed = this.#partitions.get(partition);
    if (consumed !== undefined) this.#inHand.reading?.resume(consumed);
    this.#inHand.check();
  }

  #committing(verb: string): StoreOffsetSession<Transaction> {
    const { session } = this.#context;
    if (session !== undefined) return session;
    const message = `${verb} needs a consumer that commits: give store and consumer, and a strategy other than "none"`;
    throw new ConsumerStateError(message, { code: "NEEDS_MANUAL" });
  }

  #refuseWhileProcessing(verb: string): void {
    if (this.#processing === undefined) return;
    const message = `${verb} cannot be called while process() runs: process() acknowledges each record itself, and records that wait for a handler would count as done`;
    throw new ConsumerStateError(message, { code: "ALREADY_READING" });
  }

  /** What begins with the first of what is in hand and not committed. */
  #refuseNotInHand(first: RecordPosition, last: RecordPosition): void {
    const inHand = this.#inHand.loop?.inHand;
    const records = inHand === undefined ? [] : "records" in inHand ? inHand.records : [inHand];
    const position = this.position(first.partition) ?? 0n;
    const next = records.find(({ offset }) => offset >= position);
    const isNext = next?.partition === first.partition && next.offset === first.offset;
    if (isNext && last.offset <= (records.at(-1)?.offset ?? -1n)) return;
    const wrong = isNext ? last : first;
    const why =
      next === undefined
        ? "no record is in hand that is not committed"
        : isNext
          ? "it is not in hand"
          : `the next one is record ${next.offset} of partition ${next.partition}`;
    const message = `record ${wrong.offset} of partition ${wrong.partition} cannot be committed now: ${why}; no transaction was begun`;
    throw new ConsumerStateError(message, { code: "NOT_NEXT" });
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
