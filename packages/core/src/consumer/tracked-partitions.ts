import { deliverChannel, publishDelivery } from "../diagnostics/channels.ts";
import type { DiagnosticsOrigin } from "../diagnostics/messages.ts";
import { backoffMs, delay } from "../driver/deadline.ts";
import type { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { LogRecord, LogSource } from "../log-source.ts";
import type { OffsetRecord } from "../offset-record.ts";
import { defaultOffsetResetPolicy } from "../offset-reset-policy.ts";
import { LOOKS_PER_LEASE } from "../session/sharing.ts";
import { PartitionProgress } from "../session/partition-progress.ts";
import type { StoreOffsetSession } from "../session/store-offset-session.ts";
import type { OffsetChoice } from "./ask-policy.ts";
import { ConsumedPartition } from "./consumed-partition.ts";
import type { ConsumerEvent, RecordBatch } from "./consumer.ts";
import type { ResolvedConsumerOptions } from "./consumer-options.ts";
import { type LogBounds, lookUpBounds, type OffsetLookup } from "./log-bounds.ts";
import type { Reading, ReadingOwner } from "./reading.ts";
import type { LoopOwner } from "./reading-loop.ts";
import type { ProcessorOwner, RecordProcessor } from "./record-processor.ts";
import { resetEvent } from "./reset-event.ts";
import type { ResolvedStart } from "./start-position.ts";
import { topicTtl } from "./topic-ttl.ts";
import { startOffsets } from "./where-to-read.ts";

// A position that must be durable before reading goes on is tried again after this, until the store is back.
const UNFLUSHED_RETRY_BASE_MS = 50;
const UNFLUSHED_RETRY_MAX_MS = 1_000;

/** The partitions that a consumer reads, and what becomes of their positions: with a session, or with nobody to keep them. */
export class TrackedPartitions<Transaction> implements ReadingOwner, LoopOwner, ProcessorOwner {
  /** Who keeps the positions. `undefined`: nobody. */
  session: StoreOffsetSession<Transaction> | undefined;
  /** Who works on the records of the reading that there is, and acknowledges them. */
  processor: RecordProcessor | undefined;
  /** Ends when the consumer is closed. */
  readonly closed = new AbortController();
  readonly #source: LogSource;
  readonly #log: OffsetLookup;
  readonly #options: ResolvedConsumerOptions;
  readonly #emit: (event: ConsumerEvent) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #partitions = new Map<number, ConsumedPartition>();
  readonly #onDone: () => void;
  /** How many partitions the topic had when its consumer began: later ones are read from their beginning. */
  firstPartitions = Number.POSITIVE_INFINITY;
  /** What the members of the group share, with sharing. */
  shared: readonly number[] = [];
  // The reading that has begun to read what there was.
  #opened: Reading | undefined;
  // Where each partition ended when the loop began that reads until then.
  #ends: Promise<ReadonlyMap<number, LogBounds>> | undefined;

  constructor(
    source: LogSource,
    options: ResolvedConsumerOptions,
    emit: (event: ConsumerEvent) => void,
    signal: AbortSignal | undefined,
    onDone: () => void,
  ) {
    this.#onDone = onDone;
    this.#source = source;
    this.#log = { topic: options.topic, listOffsets: source.listOffsets.bind(source, options.topic) };
    this.#options = options;
    this.#emit = emit;
    this.#signal = signal;
  }

  /** Their numbers, ascending. */
  get numbers(): readonly number[] {
    return [...this.#partitions.keys()].toSorted((a, b) => a - b);
  }

  /** Whose partitions they are. */
  get origin(): DiagnosticsOrigin {
    return this.#options;
  }

  get(partition: number): ConsumedPartition | undefined {
    return this.#partitions.get(partition);
  }

  /** The partition was lost. */
  remove(partition: number): void {
    this.#partitions.delete(partition);
  }

  /** The committed position, flushed or not. */
  position(partition: number): bigint | undefined {
    const { session } = this;
    return session === undefined ? this.#partitions.get(partition)?.progress.position : session.position(partition);
  }

  /** How far each partition is behind the log's end, as far as that is known. */
  lag(): ReadonlyMap<number, bigint> {
    const lags = new Map<number, bigint>();
    for (const [number, { highWatermark }] of this.#partitions) {
      const position = this.position(number);
      if (highWatermark === undefined || position === undefined) continue;
      lags.set(number, highWatermark > position ? highWatermark - position : 0n);
    }
    return lags;
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
    const { topic, consumer = "" } = this.#options;
    const { session } = this;
    const progressOf = (partition: number): PartitionProgress | undefined =>
      session === undefined
        ? new PartitionProgress(this, { consumer, topic, partition }, storedPositions?.get(partition))
        : session.held(partition);
    const progresses = new Map(partitions.map((partition) => [partition, progressOf(partition)]));
    const fresh = partitions.filter((partition) => progresses.get(partition)?.position === undefined);
    const { resetPolicy } = this.#options;
    const signal =
      this.#signal === undefined ? this.closed.signal : AbortSignal.any([this.#signal, this.closed.signal]);
    const isFirst = (partition: number): boolean => partition < this.firstPartitions;
    const late = fresh.filter((partition) => !isFirst(partition));
    const earliest = { kind: "policy", policy: defaultOffsetResetPolicy } as const;
    const choices = new Map([
      ...(await startOffsets(this.#log, start, resetPolicy, fresh.filter(isFirst), signal)),
      ...(await startOffsets(this.#log, earliest, resetPolicy, late, signal)),
    ]);
    // All or nothing: a start that one partition lacks must not be stored for the others.
    for (const choice of choices.values()) if (choice instanceof Error) throw choice;
    const wantsTopicTtl = fresh.length > 0 && session !== undefined && this.#options.session.ttl === undefined;
    const ttl = wantsTopicTtl ? await topicTtl(this.#source, topic, { signal }) : undefined;
    for (const partition of fresh) {
      const choice = choices.get(partition);
      if (choice === undefined || choice instanceof Error) throw new Error(`partition ${partition} got no start`);
      const { nextOffset, mark, bounds, requested: from } = choice;
      if (session === undefined) progresses.get(partition)?.beginAt(nextOffset, mark);
      else session.startAt(partition, nextOffset, { ttl, mark });
      if (from === undefined) continue;
      const reason = from < bounds.earliest.offset ? "below-log" : "beyond-log";
      this.#emit(resetEvent({ topic, partition, policy: resetPolicy.name, reason, from, choice }));
    }
    if (fresh.length > 0) await session?.flush({ signal });
    const started = new Set(fresh);
    for (const [partition, progress] of progresses) {
      // Lost meanwhile, or lost and claimed again: then it begins with that claim.
      if (progress === undefined || progress.isOver) continue;
      this.#partitions.set(partition, new ConsumedPartition(progress));
      const { position: nextOffset = 0n } = progress;
      this.#emit({ type: started.has(partition) ? "started" : "resumed", topic, partition, nextOffset });
    }
  }

  /** Takes in the partitions that the topic has by now, each from its earliest record. */
  async addNew(readingNow: () => Reading | undefined): Promise<void> {
    const { signal } = this.closed;
    const current = await this.#source.partitions(this.#options.topic, { signal });
    const added = current.filter(
      (partition) => !this.#partitions.has(partition) && this.session?.knows(partition) !== true,
    );
    if (added.length === 0) return;
    if (this.session?.isSharing === true) {
      this.shared = current;
      for (const partition of added) this.#emit({ type: "partition-added", topic: this.#options.topic, partition });
      // Who reads them is decided as with the others.
      return this.session.claim(added, { signal }, false);
    }
    let failure: Error | undefined;
    try {
      await this.session?.claim(added, { signal });
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error), { cause: error });
    }
    // Those that could be claimed are read; the others are tried again.
    const claimed = added.filter(
      (partition) => this.session === undefined || this.session.held(partition) !== undefined,
    );
    if (claimed.length > 0) await this.begin(claimed, { kind: "policy", policy: defaultOffsetResetPolicy });
    const reading = readingNow();
    for (const number of claimed) {
      this.#emit({ type: "partition-added", topic: this.#options.topic, partition: number });
      const partition = this.#partitions.get(number);
      if (partition === undefined || reading === undefined || reading.isOver || this.#options.untilEnd) continue;
      // It reads all that there are when it opens.
      if (this.#opened !== reading) continue;
      partition.begin(undefined);
      reading.add([partition]);
    }
    if (failure !== undefined) throw failure;
  }

  /** Hands a batch out: what is done already is left out. `undefined`: all of it is. */
  handOutBatch(partition: ConsumedPartition, taken: readonly LogRecord[]): RecordBatch | undefined {
    // Lost, or on its way to another.
    if (!this.isHeld(partition)) return undefined;
    const records = this.#handOutAll(partition, taken);
    const last = records.at(-1);
    const isLast = !partition.isFilled && last === taken.at(-1);
    if (!partition.isFilled) this.caughtUp(partition);
    if (last === undefined) return undefined;
    if (deliverChannel.hasSubscribers) publishDelivery(this.origin, partition.number, records);
    const { number, nextFetch } = partition;
    const nextOffset = isLast ? nextFetch : last.offset + 1n;
    return { partition: number, records, nextOffset, epoch: partition.progress.epoch };
  }

  #handOutAll(partition: ConsumedPartition, taken: readonly LogRecord[]): readonly LogRecord[] {
    const last = taken.at(-1);
    // Committed all at once, and none of them done already: only the last one counts.
    if (last !== undefined && !this.#isAcknowledging && !partition.progress.isAnyDone)
      return this.#handsOut(partition, last) ? taken : [];
    return taken.filter((record) => this.#handsOut(partition, record));
  }

  /** Reads partitions, that were begun, in a reading that is under way. */
  async readNow(numbers: readonly number[], reading: Reading): Promise<void> {
    if (this.#opened !== reading) return;
    const ends = await this.#ends;
    // What came to the topic after the loop began has no end to be read to.
    const known = numbers.filter((number) => ends === undefined || ends.has(number));
    const partitions = known.flatMap((number) => this.#partitions.get(number) ?? []);
    for (const partition of partitions) partition.begin(ends?.get(partition.number)?.latest.offset);
    reading.add(partitions.filter((partition) => !reading.partitions.has(partition)));
  }

  async isComplete(signal: AbortSignal): Promise<boolean> {
    const { session } = this;
    if (session?.isSharing !== true) return true;
    const ends = this.#options.untilEnd ? await this.#ends : undefined;
    if (ends === undefined) return false;
    // What the others have done shows in what is stored.
    const others = [...ends].filter(([number, { earliest, latest }]) => {
      return !this.#partitions.has(number) && earliest.offset < latest.offset;
    });
    const numbers = others.map(([number]) => number);
    // A store that is away says nothing; it is asked again.
    const positions = await session.storedPositions(numbers, signal).catch(() => new Map<number, bigint>());
    return others.every(([number, { latest }]) => (positions.get(number) ?? 0n) >= latest.offset);
  }

  get lookIntervalMs(): number | undefined {
    return this.session?.isSharing === true ? this.session.membership.leaseMs / LOOKS_PER_LEASE : undefined;
  }

  mayBegin(): boolean {
    return this.session?.membership.isSure !== false;
  }

  async whenSure(): Promise<void> {
    await this.session?.membership.whenSure();
  }

  check(): void {
    if (this.#signal?.aborted === true) throw this.#signal.reason;
    const over = this.session?.fenced ?? this.session?.membership.failure;
    if (over !== undefined) throw over;
  }

  isBlocked(now?: number): boolean {
    const { session } = this;
    if (session === undefined) return false;
    return session.isStalledAt(now) || (this.#options.session.flushInterval === 0 && session.hasUnflushed);
  }

  async unblocked(signal: AbortSignal): Promise<void> {
    if (this.session?.isStalled === true) return this.session.whenReady({ signal });
    await this.#untilDurable(() => this.session?.hasUnflushed === false, signal);
  }

  handsOut(partition: ConsumedPartition, record: LogRecord): boolean {
    if (!this.#handsOut(partition, record)) return false;
    if (deliverChannel.hasSubscribers) publishDelivery(this.origin, partition.number, [record]);
    return true;
  }

  #handsOut(partition: ConsumedPartition, record: LogRecord): boolean {
    const { progress, mark } = partition;
    if (this.#isAcknowledging) return progress.deliver(record, mark);
    const isHandedOut = progress.handOut(record.offset, mark);
    // Nobody keeps the position: what was handed out is behind it.
    if (this.session === undefined) progress.commitHandedOut();
    return isHandedOut;
  }

  hasRoom(partition: ConsumedPartition): boolean {
    if (this.processor?.hasRoom(partition) === false) return false;
    return !this.#isAcknowledging || this.session === undefined || partition.progress.waitingFor === undefined;
  }

  isHeld(partition: ConsumedPartition): boolean {
    return this.#partitions.get(partition.number) === partition;
  }

  done(partition: ConsumedPartition, record: LogRecord): void {
    if (this.session === undefined) partition.progress.acknowledge(record.offset);
    else this.session.acknowledge(record);
  }

  settled(): void {
    this.#onDone();
  }

  /** Nobody works on records any more: what was handed out and is not done is handed out again. */
  endProcessing(processor: RecordProcessor): void {
    if (this.processor !== processor) return;
    this.processor = undefined;
    this.#onDone();
    for (const { progress } of this.#partitions.values()) progress.reread();
  }

  caughtUp({ progress, nextFetch, isHeldBack }: ConsumedPartition): void {
    if (!isHeldBack && !progress.isOver) progress.passOver(nextFetch);
  }

  async moved(
    partition: ConsumedPartition,
    { reason, requested: from }: OffsetOutOfRangeError,
    choice: OffsetChoice,
    signal: AbortSignal,
  ): Promise<void> {
    const { topic } = this.#options;
    const { number, progress } = partition;
    const { nextOffset, mark } = choice;
    if (this.session === undefined) progress.resetTo(nextOffset, reason, mark);
    else this.session.resetTo(number, nextOffset, reason, { mark });
    this.#emit(resetEvent({ topic, partition: number, policy: this.#options.resetPolicy.name, reason, from, choice }));
    await this.#untilSettled(partition, signal);
  }

  async open(reading: Reading): Promise<void> {
    const { signal } = reading;
    const numbers = this.session?.isSharing === true ? this.shared : this.numbers;
    this.#ends = this.#options.untilEnd ? lookUpBounds(this.#log, numbers, signal) : undefined;
    const ends = await this.#ends;
    // Those that there are now; one that comes later is added by whoever takes it in. One without an end came meanwhile.
    const partitions = [...this.#partitions.values()].filter(({ number }) => ends === undefined || ends.has(number));
    for (const partition of partitions) {
      // What an earlier loop handed out and nobody committed comes again.
      partition.progress.reread();
      partition.begin(ends?.get(partition.number)?.latest.offset);
    }
    this.#opened = reading;
    reading.add(partitions, (partition) => this.#untilSettled(partition, signal));
  }

  before(partition: number | undefined): void {
    this.check();
    if (partition !== undefined && this.#options.strategy === "auto") this.get(partition)?.progress.commitHandedOut();
    this.#onDone();
  }

  async left(): Promise<void> {
    this.#onDone();
    const { session } = this;
    // Whoever aborts does not wait for a store that may never answer.
    if (session === undefined || this.closed.signal.aborted || this.#signal?.aborted === true) return;
    if (session.fenced === undefined) await session.flush({ signal: this.#signal });
  }

  /** A reset is durable before the next record is handed out. */
  #untilSettled({ number }: ConsumedPartition, signal: AbortSignal): Promise<void> {
    return this.#untilDurable(() => this.session?.held(number)?.isMoving !== true, signal);
  }

  /** Flushes until something is durable; what fails is an event, and tried again. */
  async #untilDurable(isDurable: () => boolean, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !isDurable(); attempt += 1) {
      try {
        await this.session?.flush({ signal });
      } catch {
        if (this.session?.fenced !== undefined) return;
      }
      // Also a flush that says nothing may have left it out: a caller's transaction is open.
      if (isDurable()) return;
      await delay(backoffMs(attempt, UNFLUSHED_RETRY_BASE_MS, UNFLUSHED_RETRY_MAX_MS), signal);
    }
  }

  /** Whether each record is acknowledged, in whatever order. */
  get #isAcknowledging(): boolean {
    return this.#options.strategy === "manual" || this.processor !== undefined;
  }
}
