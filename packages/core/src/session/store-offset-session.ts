import { abortable } from "../abortable.ts";
import { withinDeadline } from "../driver/deadline.ts";
import { validateMetadata } from "../driver/entry-validation.ts";
import {
  describe,
  MAX_OFFSET,
  validateKnownOptions,
  validateName,
  validateOffset,
  validateSignal,
} from "../driver/validation.ts";
import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { CallOptions, FencedOutcome, OffsetStore, TransactionBody } from "../offset-store.ts";
import { HeldPartition } from "./held-partition.ts";
import type {
  CommitRecordOptions,
  OffsetSession,
  OffsetSessionEvent,
  PositionOptions,
  RecordPosition,
} from "./offset-session.ts";
import { notHeld, notNext, runOwnTransaction } from "./own-transaction.ts";
import { PositionFlusher } from "./position-flusher.ts";
import { eraOf, stamp } from "./record-era.ts";
import { type ResolvedSessionOptions, validatePartitions } from "./session-options.ts";
import { newToken } from "./token.ts";

// After this a caller's transaction that nobody told the end of is taken to be over.
const TRANSACTION_MS = 60_000;

/** What a consumer knows of the records of a transaction. */
interface KnownRecords {
  /** Whether nothing that comes before them is left to be done. */
  readonly isNext?: boolean;
  /** The position after them, where the log has no record right behind the last. */
  readonly nextOffset?: bigint | undefined;
}

/** A session over a store. What a consumer needs beyond the public face is on the class alone. */
export class StoreOffsetSession<Transaction> implements OffsetSession<Transaction> {
  readonly consumer: string;
  readonly topic: string;
  readonly #store: OffsetStore<Transaction>;
  readonly #token = newToken();
  readonly #options: ResolvedSessionOptions;
  readonly #emit: (event: OffsetSessionEvent) => void;
  readonly #held = new Map<number, HeldPartition>();
  // Those that were claimed once and are not held any more.
  readonly #former = new Set<number>();
  readonly #flusher: PositionFlusher;
  // The partition of the last call: records come in batches of one partition.
  #recent: HeldPartition | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    store: OffsetStore<Transaction>,
    { consumer, topic }: { readonly consumer: string; readonly topic: string },
    options: ResolvedSessionOptions,
    emit: (event: OffsetSessionEvent) => void,
  ) {
    this.consumer = consumer;
    this.topic = topic;
    this.#store = store;
    this.#options = options;
    this.#emit = emit;
    this.#flusher = new PositionFlusher({
      store,
      held: this.#held,
      options,
      emit,
      onFenced: (partition, outcome) => void this.#fence(partition, outcome),
      onReleased: (partition) => this.#drop(partition),
    });
  }

  get owner(): string {
    return this.#options.owner;
  }

  get fenced(): OffsetFencedError | undefined {
    return this.#flusher.fenced;
  }

  get partitions(): readonly number[] {
    return [...this.#held.keys()].toSorted((a, b) => a - b);
  }

  /** Whether the oldest unflushed position is older than `maxUnflushedAge`: time to stop reading until the store is back. */
  get isStalled(): boolean {
    return this.#flusher.stall.isStalled;
  }

  /** Whether something is committed that is not durable yet. */
  get hasUnflushed(): boolean {
    return this.#flusher.hasDirty;
  }

  /** A partition that the session holds; `undefined` for one that it lost or released. */
  held(partition: number): HeldPartition | undefined {
    if (this.#recent?.key.partition === partition) return this.#recent;
    this.#recent = this.#held.get(partition);
    return this.#recent;
  }

  /** Whether the session held a partition once and does not any more. */
  hasLost(partition: number): boolean {
    return this.#former.has(partition);
  }

  position(partition: number): bigint | undefined {
    return this.held(partition)?.position;
  }

  refusal(partition: number): OffsetStoreError | undefined {
    return this.held(partition)?.refusal;
  }

  epoch(partition: number): number | undefined {
    return this.held(partition)?.epoch;
  }

  async claim(partitions: readonly number[], options: CallOptions = {}): Promise<void> {
    const wanted = validatePartitions(partitions).filter((partition) => !this.#held.has(partition));
    this.#refuseIfOver();
    const { ttl, owner } = this.#options;
    const entries = wanted.map((partition) => ({
      key: { consumer: this.consumer, topic: this.topic, partition },
      // One for all, also when a claim is tried again. What was held once is claimed anew: writes of before are over.
      token: this.#former.has(partition) ? newToken() : this.#token,
      ...{ owner, ttl },
    }));
    const outcomes = entries.length === 0 ? [] : await this.#store.claim(entries, options);
    let failure: OffsetStoreError | undefined;
    for (const [index, outcome] of outcomes.entries()) {
      const entry = entries[index];
      if (outcome.status === "failed") failure ??= outcome.error;
      // Nothing is held against a claim that does not ask for idle keys alone.
      if (outcome.status !== "claimed" || entry === undefined) continue;
      const { epoch, record } = outcome;
      const { key, token } = entry;
      const held = new HeldPartition(this, key, {
        ...{ token, epoch, record },
        ttl: ttl === undefined ? record?.ttl : (ttl ?? undefined),
      });
      this.#held.set(key.partition, held);
      this.#former.delete(key.partition);
      this.#flusher.watch(held);
    }
    this.#recent = undefined;
    // Closed or fenced meanwhile: what came too late is let go of.
    if (this.#closing !== undefined || this.fenced !== undefined) {
      const late = entries.flatMap(({ key }) => this.#held.get(key.partition) ?? []);
      await this.#flusher.letGo(late);
      this.#refuseIfOver();
    }
    if (failure !== undefined) throw failure;
  }

  async release(partitions: readonly number[], options: CallOptions = {}): Promise<void> {
    this.#refuseIfOver();
    validateSignal(options.signal);
    options.signal?.throwIfAborted();
    const held = validatePartitions(partitions).flatMap((partition) => this.#claimed(partition) ?? []);
    await abortable(transactionsOver(held), options.signal);
    await this.#settled(this.#flusher.release(held), options);
  }

  startAt(
    partition: number,
    nextOffset: bigint,
    { ttl, mark }: PositionOptions & { readonly ttl?: number | undefined } = {},
  ): void {
    this.#refuseIfOver();
    validateOffset("nextOffset", nextOffset);
    if (mark !== undefined) validateName("mark", mark);
    const held = this.#claimed(partition);
    if (held === undefined) return;
    held.startAt(nextOffset, ttl, mark);
    this.#flusher.dirtied(held);
  }

  resetTo(partition: number, nextOffset: bigint, reason: string, { mark }: PositionOptions = {}): void {
    this.#refuseIfOver();
    validateOffset("nextOffset", nextOffset);
    validateName("reason", reason);
    if (mark !== undefined) validateName("mark", mark);
    const held = this.#claimed(partition);
    if (held === undefined) return;
    held.resetTo(nextOffset, reason, mark);
    this.#flusher.dirtied(held);
  }

  deliver(record: RecordPosition, mark?: string): boolean {
    validateOffset("offset", record.offset);
    const held = this.fenced === undefined ? this.#claimed(record.partition) : undefined;
    if (held === undefined) return false;
    stamp(record, held.era);
    held.deliver(record.offset, mark);
    if (!held.isDone(record.offset)) return true;
    if (held.settle(false)) this.#flusher.dirtied(held);
    return false;
  }

  /** Says that a record is handed out that {@link commitHandedOut} commits. Gives whether it still is to be done. */
  handOut({ partition, offset }: RecordPosition, mark: string | undefined): boolean {
    const held = this.held(partition);
    if (held === undefined) return false;
    if (held.isDone(offset)) {
      this.passOver(partition, held.doneTo(offset));
      return false;
    }
    held.handOut(offset, mark);
    return true;
  }

  /** Commits all that was handed out of a partition. */
  commitHandedOut(partition: number): void {
    const held = this.held(partition);
    if (held?.commitHandedOut() === true) this.#flusher.dirtied(held);
  }

  commit(record?: RecordPosition, options?: CommitRecordOptions): void {
    this.#refuseIfOver();
    if (options !== undefined) validateKnownOptions(options, ["metadata"]);
    const metadata = options?.metadata;
    if (metadata !== undefined) validateMetadata(metadata);
    if (record === undefined) {
      for (const held of this.#held.values())
        if (held.delivered !== undefined) this.#commit(held, held.delivered, metadata);
      return;
    }
    const held = this.#heldAsDelivered(record);
    if (held !== undefined) return this.#commit(held, record.offset, metadata);
    // Its position does not count any more, and its transaction is over all the same.
    const current = this.held(record.partition);
    if (current !== undefined) current.inTransactionUntil = 0;
  }

  acknowledge(record: RecordPosition): void {
    this.#refuseIfOver();
    const held = this.#heldAsDelivered(record);
    if (held === undefined) return;
    const wasFull = held.waitingFor !== undefined;
    if (held.acknowledge(record.offset)) this.#flusher.dirtied(held);
    const { waitingFor } = held;
    if (waitingFor === undefined || wasFull) return;
    this.#emit({ type: "acknowledgements-full", key: held.key, waitingFor });
  }

  /** The log has no record between what was handed out last and this offset. */
  passOver(partition: number, nextOffset: bigint): void {
    const held = this.held(partition);
    if (held?.passOver(nextOffset) === true) this.#flusher.dirtied(held);
  }

  async commitWithin(
    transaction: Transaction,
    record: RecordPosition,
    options: CallOptions = {},
    nextOffset = record.offset + 1n,
  ): Promise<void> {
    this.#refuseIfOver();
    // Without one the store would write at once and for good, which is the opposite of what was asked.
    if (transaction === undefined || transaction === null) throw new TypeError("commitWithin needs a transaction");
    const held = this.#heldAsDelivered(record);
    const { partition, offset } = record;
    if (held === undefined) {
      const message = `partition ${partition} of topic ${JSON.stringify(this.topic)} was lost or reset after record ${offset} was handed out; roll back`;
      throw new ConsumerStateError(message, { code: "NOT_HELD" });
    }
    held.refuseUndelivered(offset);
    refuseSecond(held);
    // Inside a transaction positions only go forward, and one that is open may keep the store from writing elsewhere.
    if (held.isMoving) {
      const message = `partition ${partition} of topic ${JSON.stringify(this.topic)} was reset, and that is not durable yet; roll back, and call flush() before the next transaction begins`;
      throw new ConsumerStateError(message, { code: "NOT_NEXT" });
    }
    const { owner } = this.#options;
    const recreate = this.#flusher.mayHaveExpired(held) && { recreate: true, owner, ttl: held.ttl };
    const entry = {
      ...{ key: held.key, nextOffset, mark: held.markAt(nextOffset) },
      acknowledged: held.acknowledgedBeyond(nextOffset),
      ...held.claim,
      ...recreate,
    };
    held.inTransactionUntil = performance.now() + TRANSACTION_MS;
    try {
      await this.#store.commit([entry], { ...options, transaction });
    } catch (error) {
      held.inTransactionUntil = 0;
      if (!(error instanceof OffsetStoreError) || error.refusal?.status !== "fenced") throw error;
      throw this.#fence(held, error.refusal, error);
    }
  }

  async transact(
    done: RecordPosition | readonly RecordPosition[],
    body: TransactionBody<Transaction>,
    options: CallOptions = {},
    known: KnownRecords = {},
  ): Promise<void> {
    this.#refuseIfOver();
    if (typeof body !== "function") throw new TypeError(`body must be a function, not ${describe(body)}`);
    validateSignal(options.signal);
    const { first, last } = endsOf(done);
    const held = this.#heldAsDelivered(first);
    if (held === undefined || this.#heldAsDelivered(last) !== held)
      throw notHeld(this.#keyOf(first.partition), first.offset);
    held.refuseUndelivered(last.offset);
    if (known.isNext !== true && !held.isNext(first.offset)) throw notNext(held.key, first.offset);
    refuseSecond(held);
    options.signal?.throwIfAborted();
    const nextOffset = known.nextOffset ?? last.offset + 1n;
    const records = { from: first.offset, to: last.offset, nextOffset };
    const running = runOwnTransaction(this.#store, this.#flusher, held, records, body, options);
    held.transaction = running.catch(() => undefined);
    try {
      await running;
    } catch (error) {
      if (!(error instanceof OffsetStoreError) || error.refusal?.status !== "fenced") throw error;
      throw this.#fence(held, error.refusal, error);
    } finally {
      held.transaction = undefined;
      if (this.#held.get(first.partition) === held) this.#flusher.transacted(held);
    }
  }

  async flush(options: CallOptions = {}): Promise<void> {
    this.#refuseIfOver();
    validateSignal(options.signal);
    options.signal?.throwIfAborted();
    await this.#settled(this.#flusher.flush(), options);
  }

  /** Resolves when the session is no longer stalled, is fenced or closed. */
  whenReady({ signal }: CallOptions = {}): Promise<void> {
    return this.#flusher.stall.whenReady(signal);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await transactionsOver([...this.#held.values()]);
    try {
      if (this.fenced === undefined) await this.#settled(this.#flusher.release([...this.#held.values()]), {});
    } finally {
      await this.#flusher.stop();
    }
  }

  /** Waits for a write; that the session was fenced is what its caller has to hear. */
  async #settled(write: Promise<void>, { signal }: CallOptions): Promise<void> {
    try {
      await abortable(write, signal);
    } catch (error) {
      throw this.fenced ?? error;
    }
    if (this.fenced !== undefined) throw this.fenced;
  }

  #commit(held: HeldPartition, offset: bigint, metadata: string | undefined): void {
    const isDirtied = held.commit(offset);
    if ((metadata !== undefined && held.describe(metadata)) || isDirtied) this.#flusher.dirtied(held);
  }

  #fence(held: HeldPartition, outcome: FencedOutcome, cause?: unknown): OffsetFencedError {
    const { key } = held;
    const { reason, owner } = outcome;
    const error = new OffsetFencedError({ key, reason, owner, cause });
    this.#drop(held);
    if (this.#options.onFenced === "stop" || this.#held.size === 0) this.#flusher.fence(error);
    this.#emit({ type: "fenced", key, reason, owner });
    return error;
  }

  #drop(held: HeldPartition): void {
    // Lost and claimed again meanwhile.
    if (this.#held.get(held.key.partition) !== held) return;
    this.#held.delete(held.key.partition);
    this.#former.add(held.key.partition);
    this.#flusher.forget(held);
    this.#recent = undefined;
  }

  /** A partition that is held; `undefined` for one that was: its loss is an event. One that never was is a mistake. */
  #claimed(partition: number): HeldPartition | undefined {
    const held = this.held(partition);
    if (held !== undefined || this.#former.has(partition)) return held;
    throw new RangeError(
      `partition ${partition} of topic ${JSON.stringify(this.topic)} is not claimed by this session; it has ${this.partitions.join(", ")}`,
    );
  }

  /** The partition of a record, if it is held as it was when the record was handed out. */
  #heldAsDelivered(record: RecordPosition): HeldPartition | undefined {
    if (typeof record !== "object" || record === null) {
      throw new TypeError(`record must be an object { partition, offset }, not ${describe(record)}`);
    }
    const { partition, offset } = record;
    validateOffset("offset", offset);
    if (offset === MAX_OFFSET)
      throw new RangeError("offset must be at most 2^63 - 2: no position lies beyond 2^63 - 1");
    const held = this.#claimed(partition);
    const era = eraOf(record);
    return era !== undefined && era.session === this && era !== held?.era ? undefined : held;
  }

  #keyOf(partition: number): OffsetKey {
    return { consumer: this.consumer, topic: this.topic, partition };
  }

  #refuseIfOver(): void {
    if (this.fenced !== undefined) throw this.fenced;
    if (this.#closing !== undefined) {
      throw new ConsumerStateError(`the session of consumer ${JSON.stringify(this.consumer)} is closed`, {
        code: "CLOSED",
      });
    }
  }
}

/** The first and the last of the records of a transaction. */
function endsOf(done: RecordPosition | readonly RecordPosition[]): { first: RecordPosition; last: RecordPosition } {
  if (!Array.isArray(done)) return { first: done as RecordPosition, last: done as RecordPosition };
  const records = done as readonly RecordPosition[];
  const [first] = records;
  const last = records.at(-1);
  if (first === undefined || last === undefined) throw new TypeError("a transaction needs a record, or several");
  for (const [index, { partition, offset }] of records.entries()) {
    const former = records[index - 1];
    if (former === undefined || (partition === former.partition && offset > former.offset)) continue;
    throw new RangeError("the records of a transaction must be of one partition and in the order of their offsets");
  }
  return { first, last };
}

/** One transaction of a partition at a time. */
function refuseSecond({ key, transaction }: HeldPartition): void {
  if (transaction === undefined) return;
  const message = `a transaction of ${formatKey(key)} is open: await it before the next one begins`;
  throw new ConsumerStateError(message, { code: "NOT_NEXT" });
}

/** Waits for the transactions of the store's own that are under way, but not for ever: one that comes late is refused. */
async function transactionsOver(partitions: readonly HeldPartition[]): Promise<void> {
  const open = partitions.flatMap(({ transaction }) => transaction ?? []);
  if (open.length === 0) return;
  await withinDeadline(TRANSACTION_MS, undefined, () => Promise.all(open)).catch(() => undefined);
  for (const partition of partitions) partition.isInOwnTransaction = false;
}
