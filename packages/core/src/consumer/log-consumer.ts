import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { LogRecord, LogSource } from "../log-source.ts";
import type { CallOptions, TransactionBody } from "../offset-store.ts";
import type { CommitRecordOptions, OffsetSessionEvent, RecordPosition } from "../session/offset-session.ts";
import type { RevokedReason } from "../session/offset-session.ts";
import type { SharingListener } from "../session/sharing-listener.ts";
import type { StoreOffsetSession } from "../session/store-offset-session.ts";
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
import { resolveBatchesOptions, type ResolvedConsumerOptions, resolveProcessOptions } from "./consumer-options.ts";
import { Handover } from "./handover.ts";
import { Reading } from "./reading.ts";
import { ReadingLoop } from "./reading-loop.ts";
import { RecordProcessor } from "./record-processor.ts";
import { refreshEvery } from "./refresh-timer.ts";
import { TrackedPartitions } from "./tracked-partitions.ts";

/** A consumer over a log source: a reading in front, a session (or nobody) behind. */
export class LogConsumer<Transaction> implements Consumer<Transaction>, SharingListener {
  readonly topic: string;
  readonly strategy: CommitStrategy;
  readonly #source: LogSource;
  readonly #tracked: TrackedPartitions<Transaction>;
  readonly #options: ResolvedConsumerOptions;
  readonly #emit: (event: ConsumerEvent) => void;
  readonly #signal: AbortSignal | undefined;
  // The one reading that there is, or the last that there was.
  #loop: { readonly reading: Reading; readonly inHand: LogRecord | RecordBatch | undefined } | undefined;
  readonly #handover = new Handover((partition) => this.isInHand(partition));
  #processing: Promise<void> | undefined;
  #isProcessing = false;
  #stopRefreshing: (() => void) | undefined;
  #stopRefreshingGroup: (() => void) | undefined;
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
    this.#tracked = new TrackedPartitions(source, options, emit, signal, () => this.#handover.check());
    this.#options = options;
    this.#emit = emit;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get partitions(): readonly number[] {
    return this.#tracked.numbers;
  }

  get isStalled(): boolean {
    return this.#tracked.session?.isStalled === true;
  }

  position(partition: number): bigint | undefined {
    return this.#tracked.position(partition);
  }

  epoch(partition: number): number | undefined {
    return this.#tracked.session?.epoch(partition);
  }

  commit(done?: RecordPosition | RecordBatch, options?: CommitRecordOptions): void {
    const session = this.#committing("commit");
    this.#refuseWhileProcessing("commit");
    const record = done === undefined ? undefined : lastOf(done);
    const inHand = this.#loop?.inHand;
    const last = inHand === undefined ? undefined : lastOf(inHand);
    // Of an `auto` consumer all but what is in hand is committed already, and a copy of it means the same.
    const isInHand = record?.partition === last?.partition && record?.offset === last?.offset;
    if (this.strategy === "auto" && record !== undefined && isInHand) session.commit(undefined, options);
    else session.commit(record, options);
    this.#loop?.reading.resumeAll();
    this.#handover.check();
  }

  acknowledge(record: RecordPosition): void {
    this.#manual("acknowledge").acknowledge(record);
    this.#loop?.reading.resume(this.#tracked.get(record.partition));
    this.#handover.check();
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
    const { processor } = this.#tracked;
    if (processor !== undefined && processor.order !== "partition") {
      const message = `transact inside process() needs order "partition": with order "${processor.order}" later records may be done before earlier ones`;
      throw new ConsumerStateError(message, { code: "NOT_NEXT" });
    }
    // With `auto` nobody says what is done but whoever asks for the next.
    const isInHand = this.strategy === "auto" && processor === undefined;
    if (isInHand) this.#refuseNotInHand(records[0] ?? last, last);
    await session.transact(records, body, options, { nextOffset, isNext: isInHand });
    this.#loop?.reading.resume(this.#tracked.get(last.partition));
    this.#handover.check();
  }

  lag(): ReadonlyMap<number, bigint> {
    return this.#tracked.lag();
  }

  async flush(options?: CallOptions): Promise<void> {
    await this.#committing("flush").flush(options);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#signal?.removeEventListener("abort", this.#onAbort);
      this.#stopRefreshing?.();
      this.#stopRefreshingGroup?.();
      this.#tracked.closed.abort();
      this.#loop?.reading.end();
      this.#tracked.session?.stopClaiming();
      if (this.#isProcessing) void this.#releaseWhenQuiet();
      await this.#processing?.catch(() => undefined);
      await this.#tracked.session?.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<LogRecord, void, undefined> {
    const reading = this.#beginReading();
    const loop = new ReadingLoop(reading, reading, this.#tracked);
    this.#loop = loop;
    return loop;
  }

  batches(options: BatchesOptions = {}): AsyncIterable<RecordBatch, void, undefined> {
    const resolved = { ...resolveBatchesOptions(options), maxBytes: this.#options.maxBufferedBytes / 2 };
    return {
      [Symbol.asyncIterator]: () => {
        const reading = this.#beginReading(resolved.linger === 0 ? undefined : resolved.maxBytes);
        const collector = new BatchCollector(reading, resolved, (partition, records) =>
          this.#tracked.handOutBatch(partition, records),
        );
        const loop = new ReadingLoop(reading, collector, this.#tracked);
        this.#loop = loop;
        return loop;
      },
    };
  }

  async process(handler: RecordHandler, options: ProcessOptions = {}): Promise<void> {
    const maxBytes = this.#options.maxBufferedBytes / 2;
    const stopTimeoutMs = this.#options.session.revokeTimeout;
    const resolved = { ...resolveProcessOptions(handler, options), maxBytes, stopTimeoutMs };
    const reading = this.#beginReading(maxBytes);
    this.#loop = { reading, inHand: undefined };
    const processor = new RecordProcessor(reading, handler, resolved, this.#tracked);
    this.#tracked.processor = processor;
    this.#isProcessing = true;
    this.#processing = this.#process(reading, processor).finally(() => (this.#isProcessing = false));
    await this.#processing;
  }

  async #process(reading: Reading, processor: RecordProcessor): Promise<void> {
    try {
      await this.#tracked.open(reading);
      await processor.run(this.#signal);
    } catch (error) {
      reading.end();
      if (this.#signal?.aborted === true) throw this.#signal.reason;
      // The failure itself is what the caller has to hear.
      await this.#tracked.left().catch(() => undefined);
      if (reading.signal.aborted && error === reading.signal.reason) return;
      throw error;
    } finally {
      reading.end();
      this.#tracked.endProcessing(processor);
    }
    await this.#tracked.left();
  }

  /** While handlers are waited for, others have what none works on. What cannot be released now is when the session closes. */
  async #releaseWhenQuiet(): Promise<void> {
    const { session } = this.#tracked;
    if (session?.isSharing !== true) return;
    await session.retire();
    const inHand = this.#tracked.numbers.filter((partition) => this.isInHand(partition));
    const idle = session.partitions.filter((partition) => !inHand.includes(partition));
    for (const partitions of [idle, ...inHand.map((partition) => [partition])]) {
      if (partitions.length === 0) continue;
      this.#handover
        .quiet(partitions)
        .then(() => session.release(partitions))
        .catch(() => undefined);
    }
  }

  /** The rest of `maxBufferedBytes` is for records that wait beside the reading. */
  #beginReading(maxBufferedBytes = this.#options.maxBufferedBytes): Reading {
    const name = `the consumer of topic ${JSON.stringify(this.topic)}`;
    if (this.#closing !== undefined) throw new ConsumerStateError(`${name} is closed`, { code: "CLOSED" });
    if (this.#loop?.reading.isOver === false || this.#isProcessing) {
      const message = `${name} is being read by another loop: end that loop first, or create a second consumer`;
      throw new ConsumerStateError(message, { code: "ALREADY_READING" });
    }
    const { consumer, maxBytes, maxWait, resetPolicy } = this.#options;
    const log = { source: this.#source, consumer, topic: this.topic };
    const options = { ...log, maxBytes, maxBufferedBytes, maxWait, resetPolicy, emit: this.#emit };
    return new Reading(options, this.#tracked);
  }

  /**
   * Takes the session over and begins it; its events come through {@link LogConsumer.heard}. `firstPartitions` says how many
   * partitions the topic had when its consumer began.
   */
  async join(
    session: StoreOffsetSession<Transaction>,
    partitions: readonly number[],
    firstPartitions: number | undefined,
  ): Promise<void> {
    this.#tracked.session = session;
    this.#tracked.firstPartitions = firstPartitions ?? Number.POSITIVE_INFINITY;
    this.#tracked.shared = partitions;
    await session.begin(partitions, { signal: this.#signal }, false);
  }

  /** Whether partitions come and go by {@link LogConsumer.onAssigned} and {@link LogConsumer.onRevoked}. */
  get isSharing(): boolean {
    return this.#tracked.session?.isSharing === true;
  }

  async onAssigned(partitions: readonly number[]): Promise<void> {
    try {
      await this.#tracked.begin(partitions, this.#options.start);
    } catch (error) {
      // A start that the log does not have is the caller's to decide; anything else is tried again.
      if (error instanceof OffsetOutOfRangeError) this.#loop?.reading.fail(error);
      throw error;
    }
    const reading = this.#loop?.reading;
    if (reading !== undefined && !reading.isOver) await this.#tracked.readNow(partitions, reading);
  }

  async onRevoked(partitions: readonly number[], reason: RevokedReason): Promise<void> {
    for (const partition of partitions) {
      const consumed = this.#tracked.get(partition);
      this.#tracked.remove(partition);
      if (consumed !== undefined) this.#loop?.reading.drop(consumed);
    }
    if (reason === "rebalanced") await this.#handover.quiet(partitions);
  }

  isInHand(partition: number): boolean {
    const { processor } = this.#tracked;
    if (processor !== undefined) return processor.isWorkingOn(partition);
    const loop = this.#loop;
    if (loop !== undefined && !loop.reading.isOver && loop.inHand?.partition === partition) return true;
    return this.strategy === "manual" && this.#tracked.session?.held(partition)?.isInHand === true;
  }

  /** As {@link TrackedPartitions.begin}. */
  begin(...call: Parameters<TrackedPartitions<Transaction>["begin"]>): Promise<void> {
    return this.#tracked.begin(...call);
  }

  /** Hears what the session tells. */
  heard(event: OffsetSessionEvent): void {
    this.#emit(event);
    const reading = this.#loop?.reading;
    if (event.type === "flush-failed") {
      for (const { partition } of event.keys) {
        const refusal = this.#tracked.session?.held(partition)?.refusal;
        const consumed = this.#tracked.get(partition);
        if (refusal !== undefined && consumed !== undefined) reading?.refuse(consumed, refusal);
      }
    } else if (event.type === "fenced") {
      const { partition } = event.key;
      const consumed = this.#tracked.get(partition);
      if (this.#tracked.session?.fenced !== undefined || consumed === undefined) return reading?.wake();
      this.#tracked.remove(partition);
      reading?.drop(consumed);
    }
  }

  /** Keeps what the group agreed on from expiring. */
  refreshGroup(agree: () => Promise<unknown>): void {
    const { ttl } = this.#options.session;
    if (typeof ttl !== "number") return;
    this.#stopRefreshingGroup = refreshEvery(
      ttl / 3,
      async () => void (await agree()),
      (error) => this.#refreshFailed(error),
    );
  }

  /** Looks for new partitions from time to time. */
  refreshPartitions(): void {
    this.#stopRefreshing = refreshEvery(
      this.#options.partitionRefreshInterval,
      async () => {
        if (this.#tracked.session?.fenced === undefined) await this.#tracked.addNew(() => this.#loop?.reading);
      },
      (error) => this.#refreshFailed(error),
    );
  }

  #refreshFailed(error: Error): void {
    if (this.#tracked.closed.signal.aborted || this.#tracked.session?.fenced !== undefined) return;
    this.#emit({ type: "refresh-failed", topic: this.topic, error });
  }

  readonly #onAbort = (): void => {
    this.#loop?.reading.fail(this.#signal?.reason);
  };

  #committing(verb: string): StoreOffsetSession<Transaction> {
    const { session } = this.#tracked;
    if (session !== undefined) return session;
    const message = `${verb} needs a consumer that commits: give store and consumer, and a strategy other than "none"`;
    throw new ConsumerStateError(message, { code: "NEEDS_MANUAL" });
  }

  #refuseWhileProcessing(verb: string): void {
    if (!this.#isProcessing) return;
    const message = `${verb} cannot be called while process() runs: process() acknowledges each record itself, and records that wait for a handler would count as done`;
    throw new ConsumerStateError(message, { code: "ALREADY_READING" });
  }

  /** What begins with the first of what is in hand and not committed. */
  #refuseNotInHand(first: RecordPosition, last: RecordPosition): void {
    const inHand = this.#loop?.inHand;
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
