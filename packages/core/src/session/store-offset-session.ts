import { abortable } from "../abortable.ts";
import { keepingAwake } from "../keeping-awake.ts";
import { validateMetadata } from "../driver/entry-validation.ts";
import {
  describe,
  validateCallOptions,
  MAX_OFFSET,
  validateKnownOptions,
  validateName,
  validateOffset,
} from "../driver/validation.ts";
import { ConsumerStateError } from "../errors/consumer-state-error.ts";
import type { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CallOptions, OffsetStore, TransactionBody } from "../offset-store.ts";
import { Claims } from "./claims.ts";
import type { HeldPartition } from "./held-partition.ts";
import { Membership } from "./membership.ts";
import { PartitionLosses, type SharingListener } from "./partition-losses.ts";
import type {
  CommitRecordOptions,
  OffsetSession,
  OffsetSessionEvent,
  PositionOptions,
  RecordPosition,
} from "./offset-session.ts";
import {
  endsOf,
  notHeld,
  notNext,
  refuseSecond,
  runOwnTransaction,
  TRANSACTION_MS,
  transactionsOver,
} from "./own-transaction.ts";
import { PositionFlusher } from "./position-flusher.ts";
import { eraOf } from "./record-era.ts";
import { type ResolvedSessionOptions, validatePartitions } from "./session-options.ts";
import { Sharing } from "./sharing.ts";

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
  readonly #options: ResolvedSessionOptions;
  readonly #emit: (event: OffsetSessionEvent) => void;
  readonly #claims: Claims;
  readonly #flusher: PositionFlusher;
  readonly #membership: Membership;
  readonly #losses: PartitionLosses;
  // How it takes part in a group; `undefined`: it takes over whatever it claims.
  readonly #sharing: Sharing | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    store: OffsetStore<Transaction>,
    { consumer, topic }: { readonly consumer: string; readonly topic: string },
    options: ResolvedSessionOptions,
    emit: (event: OffsetSessionEvent) => void,
    listener: SharingListener,
  ) {
    this.consumer = consumer;
    this.topic = topic;
    this.#store = store;
    this.#options = options;
    this.#emit = emit;
    const { sharing, leaseMs, instance, owner, ttl } = options;
    this.#membership = new Membership({
      ...{ store, consumer, topic, mode: sharing, leaseMs, owner, instance, emit },
      held: () => this.#claims.held.size,
      onLate: () => this.#flusher.verify([...this.#claims.held.values()]),
      onReplaced: (newer) => this.#losses.replaced(newer),
    });
    const { member } = this.#membership;
    this.#claims = new Claims({ session: this, store, consumer, topic, owner, ttl, member });
    this.#flusher = new PositionFlusher({
      ...{ store, consumer, topic, options, emit },
      held: this.#claims.held,
      onFenced: (partition, outcome) => void this.#losses.fence(partition, outcome),
      onReleased: (partition) => this.#losses.drop(partition),
    });
    this.#losses = new PartitionLosses({
      ...{ topic, options, emit, listener },
      ...{ claims: this.#claims, flusher: this.#flusher, membership: this.#membership },
      sharing: () => this.#sharing,
    });
    if (sharing === "takeover") return;
    this.#sharing = new Sharing({
      ...{ store, consumer, topic, mode: sharing, emit },
      ...{ membership: this.#membership, claims: this.#claims },
      onAssigned: async (partitions) => {
        for (const partition of partitions) this.#flusher.watch(partition);
        await listener.onAssigned(partitions.map(({ key }) => key.partition));
        // The store may have said meanwhile that some are lost.
        return partitions.filter((partition) => this.held(partition.key.partition) === partition);
      },
      isInHand: ({ key }) => listener.isInHand(key.partition),
      giveUp: (partitions, signal) => this.#losses.giveUp(partitions, signal),
    });
  }

  get owner(): string {
    return this.#options.owner;
  }

  get fenced(): OffsetFencedError | undefined {
    return this.#flusher.fenced;
  }

  get partitions(): readonly number[] {
    return this.#claims.numbers;
  }

  /**
   * Whether nothing may be handed out until the store is back: the oldest unflushed position is older than `maxUnflushedAge`,
   * or others may think that this member has ended (contract 8.5).
   */
  get isStalled(): boolean {
    return this.isStalledAt(undefined);
  }

  /** The same. With a reading of the monotonic clock no other is looked at. */
  isStalledAt(now: number | undefined): boolean {
    const isSure = this.#sharing === undefined || this.#membership.isSureAt(now);
    return this.#flusher.stall.isStalled || !isSure;
  }

  /** Whether nobody can think that this member has ended; always so with `takeover`, where nobody cares. */
  get isSure(): boolean {
    return this.#sharing === undefined || this.#membership.isSure;
  }

  /** Why the member will not be sure again: the store refuses its heartbeats for good. */
  get failure(): OffsetStoreError | undefined {
    return this.#sharing === undefined ? undefined : this.#membership.failure;
  }

  /** Resolves when the member is sure again, has ended, or will never be. */
  async whenSure(): Promise<void> {
    if (!this.isSure) await this.#membership.whenSure();
  }

  /** Milliseconds of the member's lease. */
  get leaseMs(): number {
    return this.#membership.leaseMs;
  }

  /** Whether partitions may come and go while the session lives. */
  get isSharing(): boolean {
    return this.#sharing !== undefined;
  }

  /** Whether something is committed that is not durable yet. */
  get hasUnflushed(): boolean {
    return this.#flusher.hasDirty;
  }

  /** A partition that the session holds; `undefined` for one that it lost or released. */
  held(partition: number): HeldPartition | undefined {
    return this.#claims.get(partition);
  }

  /** Whether the session has a partition, shares it, or has lost it: nobody need claim it. */
  knows(partition: number): boolean {
    const { held } = this.#claims;
    return this.#sharing?.has(partition) ?? (held.has(partition) || this.#claims.isFormer(partition));
  }

  /** What is stored of partitions, whoever holds them. One that cannot be read is left out. */
  async storedPositions(
    partitions: readonly number[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, bigint | undefined>> {
    if (partitions.length === 0) return new Map();
    const outcomes = await this.#store.fetch(
      partitions.map((partition) => this.#keyOf(partition)),
      { signal },
    );
    return new Map(
      outcomes.flatMap((outcome) =>
        outcome.status === "found" ? [[outcome.record.partition, outcome.record.nextOffset] as const] : [],
      ),
    );
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

  /**
   * Begins: others can see that it lives, and then it claims. Resolves when all partitions are held, or, in a balanced group
   * and for whoever does not want to wait, after the first look.
   */
  async begin(partitions: readonly number[], { signal }: CallOptions, waits = true): Promise<void> {
    await this.#membership.begin(signal);
    if (this.#sharing === undefined) return this.claim(partitions, { signal });
    this.#sharing.add(partitions);
    await this.#sharing.begin(signal);
    if (waits && this.#options.sharing === "standby") await this.#sharing.untilHeld(partitions, signal);
  }

  async claim(partitions: readonly number[], options: CallOptions = {}): Promise<void> {
    validateCallOptions(options);
    const { signal } = options;
    const wanted = validatePartitions(partitions).filter((partition) => !this.#claims.held.has(partition));
    this.#refuseIfOver();
    if (this.#sharing !== undefined) {
      this.#sharing.add(partitions);
      await this.#sharing.begin(signal);
      if (this.#options.sharing === "standby") await this.#sharing.untilHeld(partitions, signal);
      this.#refuseIfOver();
      return;
    }
    const { taken, failure } = await this.#claims.take(wanted, { signal });
    for (const held of taken) this.#flusher.watch(held);
    // Closed or fenced meanwhile: what came too late is let go of.
    if (this.#closing !== undefined || this.fenced !== undefined) {
      await this.#flusher.letGo(taken);
      this.#refuseIfOver();
    }
    if (failure !== undefined) throw failure;
  }

  /** Shares partitions, too; resolves after a look. */
  async share(partitions: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    this.#sharing?.add(partitions);
    await this.#sharing?.begin(signal);
  }

  /** Claims nothing more: it is about to close. */
  stopClaiming(): void {
    void this.#sharing?.stop();
  }

  /** Leaves its share to the others: it closes as soon as what is in hand is done. */
  async retire(): Promise<void> {
    await this.#sharing?.stop();
    await this.#membership.retire();
  }

  async release(partitions: readonly number[], options: CallOptions = {}): Promise<void> {
    this.#refuseIfOver();
    validateCallOptions(options);
    options.signal?.throwIfAborted();
    const held = validatePartitions(partitions).flatMap((partition) => this.#claimed(partition) ?? []);
    this.#sharing?.remove(partitions);
    await abortable(transactionsOver(held), options.signal);
    await this.#settled(this.#flusher.release(held), options);
  }

  startAt(
    partition: number,
    nextOffset: bigint,
    options: PositionOptions & { readonly ttl?: number | undefined } = {},
  ): void {
    validateKnownOptions(options, ["mark", "ttl"]);
    const { ttl, mark } = options;
    this.#refuseIfOver();
    validateOffset("nextOffset", nextOffset);
    if (mark !== undefined) validateName("mark", mark);
    this.#claimed(partition)?.startAt(nextOffset, ttl, mark);
  }

  resetTo(partition: number, nextOffset: bigint, reason: string, options: PositionOptions = {}): void {
    validateKnownOptions(options, ["mark"]);
    const { mark } = options;
    this.#refuseIfOver();
    validateOffset("nextOffset", nextOffset);
    validateName("reason", reason);
    if (mark !== undefined) validateName("mark", mark);
    this.#claimed(partition)?.resetTo(nextOffset, reason, mark);
  }

  deliver(record: RecordPosition): boolean {
    validateOffset("offset", record.offset);
    return this.fenced === undefined && this.#claimed(record.partition)?.deliver(record, undefined) === true;
  }

  commit(record?: RecordPosition, options?: CommitRecordOptions): void {
    this.#refuseIfOver();
    if (options !== undefined) validateKnownOptions(options, ["metadata"]);
    const metadata = options?.metadata;
    if (metadata !== undefined) validateMetadata(metadata);
    if (record === undefined) {
      for (const held of this.#claims.held.values())
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
    held.acknowledge(record.offset);
    const { waitingFor } = held;
    if (waitingFor === undefined || wasFull) return;
    this.#emit({ type: "acknowledgements-full", key: held.key, waitingFor });
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
      const message = `partition ${partition} of topic ${JSON.stringify(this.topic)} was reset, and the reset is not durable yet; roll back, and call flush() before the next transaction begins`;
      throw new ConsumerStateError(message, { code: "NOT_NEXT" });
    }
    const { entry } = held.writeWithin(nextOffset, held.mayHaveExpired);
    held.inTransactionUntil = performance.now() + TRANSACTION_MS;
    try {
      await this.#store.commit([entry], { ...options, transaction });
    } catch (error) {
      held.inTransactionUntil = 0;
      if (!(error instanceof OffsetStoreError) || error.refusal?.status !== "fenced") throw error;
      throw this.#losses.fence(held, error.refusal, error);
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
    validateCallOptions(options);
    const { first, last } = endsOf(done);
    const held = this.#heldAsDelivered(first);
    if (held === undefined || this.#heldAsDelivered(last) !== held)
      throw notHeld(this.#keyOf(first.partition), first.offset);
    held.refuseUndelivered(last.offset);
    if (known.isNext !== true && !held.isNext(first.offset)) throw notNext(held.key, first.offset);
    refuseSecond(held);
    options.signal?.throwIfAborted();
    const nextOffset = known.nextOffset ?? last.offset + 1n;
    const records = { from: first.offset, nextOffset };
    const running = runOwnTransaction(this.#store, this.#flusher, held, records, body, options);
    held.transaction = running.catch(() => undefined);
    try {
      await running;
    } catch (error) {
      if (!(error instanceof OffsetStoreError) || error.refusal?.status !== "fenced") throw error;
      throw this.#losses.fence(held, error.refusal, error);
    } finally {
      held.transaction = undefined;
      if (this.held(first.partition) === held) this.#flusher.transacted(held);
    }
  }

  async flush(options: CallOptions = {}): Promise<void> {
    this.#refuseIfOver();
    validateCallOptions(options);
    options.signal?.throwIfAborted();
    await this.#settled(this.#flusher.flush(), options);
  }

  /** Resolves when the session is no longer stalled, is fenced or closed. */
  async whenReady({ signal }: CallOptions = {}): Promise<void> {
    await this.#flusher.stall.whenReady(signal);
    await keepingAwake(abortable(this.whenSure(), signal));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#sharing?.stop();
    const held = [...this.#claims.held.values()];
    await transactionsOver(held);
    // The record of an `instance` may be a newer session's by now. It falls silent, or ends with the process: meanwhile its share waits for
    // the next session of that name.
    let leaves = this.#options.instance === undefined;
    try {
      if (this.fenced === undefined) await this.#settled(this.#flusher.release(held), {});
    } catch (error) {
      // A store that did not take the last write does not take another: the member falls silent.
      leaves = false;
      throw error;
    } finally {
      await this.#flusher.stop();
      await (leaves ? this.#membership.leave() : this.#membership.stop());
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
    held.inTransactionUntil = 0;
    held.commit(offset);
    if (metadata !== undefined) held.describe(metadata);
  }

  /** A partition that is held; `undefined` for one that was: its loss is an event. One that never was is a mistake. */
  #claimed(partition: number): HeldPartition | undefined {
    const held = this.held(partition);
    if (held !== undefined || this.#claims.isFormer(partition)) return held;
    throw new RangeError(
      `partition ${partition} of topic ${JSON.stringify(this.topic)} is not claimed by this session, which holds ${this.partitions.join(", ")}`,
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
