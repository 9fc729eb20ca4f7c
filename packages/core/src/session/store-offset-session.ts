import { randomBytes } from "node:crypto";
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
import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { CallOptions, OffsetStore, TransactionBody } from "../offset-store.ts";
import { rollBack, writeInCallersTransaction } from "./callers-transaction.ts";
import { Claims } from "./claims.ts";
import type { HeldPartition } from "./held-partition.ts";
import { Membership } from "./membership.ts";
import { PartitionLosses } from "./partition-losses.ts";
import type {
  CommitRecordOptions,
  OffsetSession,
  OffsetSessionEvent,
  PositionOptions,
  RecordPosition,
} from "./offset-session.ts";
import { endsOf, notHeld, notNext, refuseSecond, runOwnTransaction, transactionsOver } from "./own-transaction.ts";
import { PositionFlusher } from "./position-flusher.ts";
import { eraOf } from "./record-era.ts";
import type { SessionContext } from "./session-context.ts";
import { type ResolvedSessionOptions, validatePartitions } from "./session-options.ts";
import { Sharing } from "./sharing.ts";
import type { SharingListener } from "./sharing-listener.ts";

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
  /** Whether others can think that the session has ended. */
  readonly membership: Membership;
  readonly #store: OffsetStore<Transaction>;
  readonly #context: SessionContext;
  readonly #claims: Claims;
  readonly #flusher: PositionFlusher;
  readonly #losses: PartitionLosses;
  // How it takes part in a group; `undefined`: it takes over all that it claims.
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
    const member = options.instance ?? randomBytes(9).toString("base64url");
    const context: SessionContext = { store, consumer, topic, member, options, emit };
    this.#context = context;
    const claims = new Claims(this, context);
    const flusher = new PositionFlusher(context, claims, (held, outcome) => void this.#losses.fence(held, outcome));
    const membership = new Membership(context, claims, flusher, (newer) => this.#losses.replaced(newer));
    const shares = options.sharing !== "takeover";
    const sharing = shares ? new Sharing(context, claims, flusher, membership, listener) : undefined;
    this.#losses = new PartitionLosses(context, { claims, flusher, membership, sharing, listener });
    this.#claims = claims;
    this.#flusher = flusher;
    this.membership = membership;
    this.#sharing = sharing;
  }

  get owner(): string {
    return this.#context.options.owner;
  }

  get fenced(): OffsetFencedError | undefined {
    return this.#flusher.fenced;
  }

  get partitions(): readonly number[] {
    return this.#claims.numbers;
  }

  /**
   * Whether nothing may be handed out until the store is back: the oldest unflushed position is older than `maxUnflushedAge`,
   * or others may think that this member has ended (contract 8.5b).
   */
  get isStalled(): boolean {
    return this.isStalledAt(undefined);
  }

  /** The same. With a reading of the monotonic clock no other is looked at. */
  isStalledAt(now: number | undefined): boolean {
    return this.#flusher.stall.isStalled || !this.membership.isSureAt(now);
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

  /** Whether the session shares a partition, or has lost it: it is not claimed once more. */
  knows(partition: number): boolean {
    return this.#sharing?.has(partition) ?? this.#claims.isFormer(partition);
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
   * and for a caller that does not want to wait, after the first look.
   */
  async begin(partitions: readonly number[], { signal }: CallOptions, waits = true): Promise<void> {
    await this.membership.begin(signal);
    await this.#take(partitions, signal, waits);
  }

  async claim(partitions: readonly number[], options: CallOptions = {}, waits = true): Promise<void> {
    validateCallOptions(options);
    const wanted = validatePartitions(partitions);
    this.#refuseIfOver();
    await this.#take(wanted, options.signal, waits);
    this.#refuseIfOver();
  }

  async #take(partitions: readonly number[], signal: AbortSignal | undefined, waits: boolean): Promise<void> {
    if (this.#sharing !== undefined) return this.#sharing.share(partitions, signal, waits);
    // A release that failed is done first: what it holds would count as claimed, and end.
    const leaving = partitions
      .flatMap((partition) => this.held(partition) ?? [])
      .filter(({ isReleasing }) => isReleasing);
    if (leaving.length > 0) await this.#settled(this.#flusher.release(leaving), { signal });
    const wanted = partitions.filter((partition) => !this.#claims.held.has(partition));
    const { taken, failure } = await this.#claims.take(wanted, { signal });
    for (const held of taken) this.#flusher.watch(held);
    // Closed or fenced meanwhile: what came too late is let go of.
    if (this.#closing !== undefined || this.fenced !== undefined) {
      await this.#flusher.letGo(taken);
      this.#refuseIfOver();
    }
    if (failure !== undefined) throw failure;
  }

  /** Claims nothing more: it is about to close. */
  stopClaiming(): void {
    void this.#sharing?.stop();
  }

  /** Leaves its share to the others: it closes as soon as what is in hand is done. */
  async retire(): Promise<void> {
    await this.#sharing?.stop();
    await this.membership.retire();
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
    const metadata = metadataOf(options);
    if (record === undefined) {
      for (const held of this.#claims.held.values()) this.#commitDelivered(held, metadata);
      return;
    }
    const held = this.#heldAsDelivered(record);
    if (held !== undefined) return this.#commit(held, record.offset, metadata);
    // Its position does not count any more, and its transaction is over all the same.
    const current = this.held(record.partition);
    if (current !== undefined) current.inTransactionUntil = 0;
  }

  /** Commits all that was delivered of one partition; nothing if it was lost. */
  commitPartition(partition: number, options: CommitRecordOptions | undefined): void {
    this.#refuseIfOver();
    const metadata = metadataOf(options);
    const held = this.held(partition);
    if (held !== undefined) this.#commitDelivered(held, metadata);
  }

  acknowledge(record: RecordPosition): void {
    this.#refuseIfOver();
    const held = this.#heldAsDelivered(record);
    if (held === undefined) return;
    const wasFull = held.waitingFor !== undefined;
    held.acknowledge(record.offset);
    const { waitingFor } = held;
    if (waitingFor === undefined || wasFull) return;
    this.#context.emit({ type: "acknowledgements-full", key: held.key, waitingFor });
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
    if (held === undefined) throw rollBack(this.topic, record);
    held.refuseUndelivered(record.offset);
    await this.#heard(held, writeInCallersTransaction(this.#store, held, nextOffset, transaction, options));
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
      await this.#heard(held, running);
    } finally {
      held.transaction = undefined;
      if (!held.isOver) this.#flusher.transacted(held);
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
    await keepingAwake(abortable(this.membership.whenSure(), signal));
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
    let leaves = this.#context.options.instance === undefined;
    try {
      if (this.fenced === undefined) await this.#settled(this.#flusher.release(held), {});
    } catch (error) {
      // A store that did not take the last write does not take another: the member falls silent.
      leaves = false;
      throw error;
    } finally {
      await this.#flusher.stop();
      await this.membership.stop();
      if (leaves) await this.membership.leave();
    }
  }

  /** Waits for a transaction; where the store refuses it because the claim is lost, its caller has to get that error. */
  async #heard(held: HeldPartition, writing: Promise<void>): Promise<void> {
    try {
      await writing;
    } catch (error) {
      const loss = this.#losses.lossOf(held, error);
      throw loss === undefined ? error : loss;
    }
  }

  /** Waits for a write; where the session was fenced, its caller has to get that error. */
  async #settled(write: Promise<void>, { signal }: CallOptions): Promise<void> {
    try {
      await abortable(write, signal);
    } catch (error) {
      throw this.fenced ?? error;
    }
    if (this.fenced !== undefined) throw this.fenced;
  }

  #commitDelivered(held: HeldPartition, metadata: string | undefined): void {
    if (held.delivered !== undefined) this.#commit(held, held.delivered, metadata);
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
      `partition ${partition} of topic ${JSON.stringify(this.topic)} is not claimed by this session, which holds ${this.partitions.join(", ") || "none"}`,
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

function metadataOf(options: CommitRecordOptions | undefined): string | undefined {
  if (options === undefined) return undefined;
  validateKnownOptions(options, ["metadata"]);
  const { metadata } = options;
  if (metadata !== undefined) validateMetadata(metadata);
  return metadata;
}
