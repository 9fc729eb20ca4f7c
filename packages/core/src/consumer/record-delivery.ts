import { abortable } from "../abortable.ts";
import { deliverChannel, publishDelivery } from "../diagnostics/channels.ts";
import type { DiagnosticsOrigin } from "../diagnostics/messages.ts";
import { backoffMs, delay } from "../driver/deadline.ts";
import type { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { LogRecord } from "../log-source.ts";
import type { OffsetChoice } from "./ask-policy.ts";
import type { StoreOffsetSession } from "../session/store-offset-session.ts";
import type { ConsumedPartition } from "./consumed-partition.ts";
import type { RecordBatch } from "./consumer.ts";
import type { ConsumerContext } from "./consumer-context.ts";
import type { InHand } from "./in-hand.ts";
import type { Reading, ReadingOwner } from "./reading.ts";
import type { LoopOwner } from "./reading-loop.ts";
import type { ProcessorOwner, RecordProcessor } from "./record-processor.ts";
import { resetEvent } from "./reset-event.ts";
import type { TrackedPartitions } from "./tracked-partitions.ts";

// A position that must be durable before reading continues is tried again after this, until the store is back.
const UNFLUSHED_RETRY_BASE_MS = 50;
const UNFLUSHED_RETRY_MAX_MS = 1_000;

/**
 * Hands records out, and takes in what becomes of them: with a session that keeps the positions, or without one. Says when
 * nothing may be handed out.
 */
export class RecordDelivery<Transaction> implements ReadingOwner, LoopOwner, ProcessorOwner {
  readonly #context: ConsumerContext<Transaction>;
  readonly #partitions: TrackedPartitions<Transaction>;
  readonly #inHand: InHand<Transaction>;
  readonly #session: StoreOffsetSession<Transaction> | undefined;
  readonly #isAuto: boolean;
  readonly #isManual: boolean;
  // What was handed out last belongs to it.
  #recent: ConsumedPartition | undefined;

  constructor(
    context: ConsumerContext<Transaction>,
    partitions: TrackedPartitions<Transaction>,
    inHand: InHand<Transaction>,
  ) {
    this.#context = context;
    this.#partitions = partitions;
    this.#inHand = inHand;
    this.#session = context.session;
    this.#isAuto = context.options.strategy === "auto";
    this.#isManual = context.options.strategy === "manual";
  }

  /** Whose records they are. */
  get origin(): DiagnosticsOrigin {
    return this.#context.options;
  }

  check(): void {
    const { session, signal } = this.#context;
    if (signal?.aborted === true) throw signal.reason;
    const over = session?.fenced ?? session?.membership.failure;
    if (over !== undefined) throw over;
  }

  isBlocked(now?: number): boolean {
    const session = this.#session;
    if (session === undefined) return false;
    const { flushInterval } = this.#context.options.session;
    return session.isStalledAt(now) || (flushInterval === 0 && session.hasUnflushed);
  }

  async unblocked(signal: AbortSignal): Promise<void> {
    const { session } = this.#context;
    if (session?.isStalled === true) return session.whenReady({ signal });
    await this.#untilDurable(() => session?.hasUnflushed === false, signal);
  }

  mayBegin(): boolean {
    return this.#context.session?.membership.isSure !== false;
  }

  async whenSure(): Promise<void> {
    await this.#context.session?.membership.whenSure();
  }

  isHeld(partition: ConsumedPartition): boolean {
    return this.#partitions.get(partition.number) === partition;
  }

  hasRoom(partition: ConsumedPartition): boolean {
    if (this.#inHand.processor?.hasRoom(partition) === false) return false;
    // What is not stored need not fit.
    if (this.#session === undefined || !this.#isAcknowledging) return true;
    return partition.progress.waitingFor === undefined;
  }

  handsOut(partition: ConsumedPartition, record: LogRecord): boolean {
    if (!this.#handsOut(partition, record)) return false;
    if (deliverChannel.hasSubscribers) publishDelivery(this.origin, partition.number, [record]);
    return true;
  }

  /** Hands a batch out: what is done already is left out. `undefined`: all of it is. */
  handOutBatch(partition: ConsumedPartition, taken: readonly LogRecord[]): RecordBatch | undefined {
    // Lost, or on its way to another.
    if (!this.isHeld(partition)) return undefined;
    const records = this.#handOutAll(partition, taken);
    const last = records.at(-1);
    const isLast = last === taken.at(-1);
    this.caughtUp(partition);
    if (last === undefined) return undefined;
    if (deliverChannel.hasSubscribers) publishDelivery(this.origin, partition.number, records);
    const { number, takenTo, progress } = partition;
    const nextOffset = isLast ? takenTo : last.offset + 1n;
    return { partition: number, records, nextOffset, epoch: progress.epoch };
  }

  caughtUp({ progress, takenTo, isHeldBack }: ConsumedPartition): void {
    if (!isHeldBack && !progress.isOver) progress.passOver(takenTo);
  }

  async moved(
    partition: ConsumedPartition,
    { reason, requested: from }: OffsetOutOfRangeError,
    choice: OffsetChoice,
    signal: AbortSignal,
  ): Promise<void> {
    const { session, options, emit } = this.#context;
    const { number, progress } = partition;
    const { nextOffset, mark } = choice;
    if (session === undefined) progress.resetTo(nextOffset, reason, mark);
    else session.resetTo(number, nextOffset, reason, { mark });
    this.#inHand.processor?.moved(partition);
    const { topic, resetPolicy } = options;
    emit(resetEvent({ topic, partition: number, policy: resetPolicy.name, reason, from, choice }));
    await this.#untilSettled(partition, signal);
  }

  done({ progress }: ConsumedPartition, record: LogRecord): void {
    const { session } = this.#context;
    if (session === undefined) progress.acknowledge(record.offset);
    else session.acknowledge(record);
  }

  settled(): void {
    this.#inHand.check();
  }

  /** No call works on records any more. */
  endProcessing(processor: RecordProcessor): void {
    if (this.#inHand.processor !== processor) return;
    this.#inHand.processor = undefined;
    this.#inHand.check();
    this.#partitions.reread();
  }

  async open(reading: Reading): Promise<void> {
    await this.#partitions.open(reading, (partition) => this.#untilSettled(partition, reading.signal));
  }

  before(hasPrevious: boolean): void {
    this.check();
    if (hasPrevious && this.#isAuto) this.#recent?.progress.commitHandedOut();
    this.#inHand.check();
  }

  async left(): Promise<void> {
    await this.flush();
    await this.closed();
  }

  /** Nothing is worked on any more: what is committed is stored, unless the consumer is being closed, which does that. */
  async flush(): Promise<void> {
    this.#inHand.check();
    const { session, signal, closed } = this.#context;
    // A caller that aborts does not wait for a store that may never answer.
    if (session === undefined || closed.aborted || signal?.aborted === true) return;
    if (session.fenced === undefined) await session.flush({ signal });
  }

  /** Resolves when the closing that is under way, if one is, has stored what is committed; rejects if it could not. */
  async closed(): Promise<void> {
    const { signal, closing } = this.#context;
    const under = closing();
    if (under !== undefined) await abortable(under, signal);
  }

  #handOutAll(partition: ConsumedPartition, taken: readonly LogRecord[]): readonly LogRecord[] {
    const last = taken.at(-1);
    // Committed all at once, and none of them done already: only the last one counts.
    if (last !== undefined && !this.#isAcknowledging && !partition.progress.isAnyDone)
      return this.#handsOut(partition, last) ? taken : [];
    return taken.filter((record) => this.#handsOut(partition, record));
  }

  #handsOut(partition: ConsumedPartition, record: LogRecord): boolean {
    const { progress, mark } = partition;
    if (this.#isAcknowledging) return progress.deliver(record, mark);
    if (this.#session === undefined) return progress.passOn(record.offset, mark);
    this.#recent = partition;
    return progress.handOut(record.offset, mark);
  }

  /** Whether each record is acknowledged, in any order. */
  get #isAcknowledging(): boolean {
    return this.#isManual || this.#inHand.processor !== undefined;
  }

  /** A reset is durable before the next record is handed out. */
  #untilSettled({ number }: ConsumedPartition, signal: AbortSignal): Promise<void> {
    return this.#untilDurable(() => this.#context.session?.held(number)?.isMoving !== true, signal);
  }

  /** Flushes until something is durable; what fails is an event, and tried again. */
  async #untilDurable(isDurable: () => boolean, signal: AbortSignal): Promise<void> {
    const { session } = this.#context;
    for (let attempt = 0; !isDurable(); attempt += 1) {
      try {
        await session?.flush({ signal });
      } catch {
        if (session?.fenced !== undefined) return;
      }
      // Also a flush that says nothing may have left it out: a caller's transaction is open.
      if (isDurable()) return;
      await delay(backoffMs(attempt, UNFLUSHED_RETRY_BASE_MS, UNFLUSHED_RETRY_MAX_MS), signal);
    }
  }
}
