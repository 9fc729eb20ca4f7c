import { abortable } from "../abortable.ts";
import { MAX_OFFSET, validateOffset } from "../driver/validation.ts";
import { emitter } from "../emitter.ts";
import { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { CallOptions, FencedOutcome, OffsetStore } from "../offset-store.ts";
import type { OffsetRecord } from "../offset-record.ts";
import { Flusher } from "./flusher.ts";
import { HeldPartitions } from "./held-partitions.ts";
import type { OffsetSession, OffsetSessionEvent, RecordPosition, RepositionOptions } from "./offset-session.ts";
import { PartitionState } from "./partition-state.ts";
import { PositionWriter } from "./position-writer.ts";
import { newToken } from "./token.ts";
import { type ResolvedSessionOptions, validatePartitions } from "./session-options.ts";

const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where a session's parts meet: claims, local commits, writes, and what the answers mean. */
export class StoreOffsetSession<Transaction> implements OffsetSession<Transaction> {
  readonly consumer: string;
  readonly topic: string;
  readonly #store: OffsetStore<Transaction>;
  readonly #token: string;
  readonly #options: ResolvedSessionOptions;
  readonly #emit: (event: OffsetSessionEvent) => void;
  readonly #partitions = new HeldPartitions();
  readonly #writer: PositionWriter;
  readonly #flusher: Flusher;
  // The partition of the last call: records come in batches of one partition.
  #recent: PartitionState | undefined;
  #fenced: OffsetFencedError | undefined;
  #closing: Promise<void> | undefined;
  #lastWrite: Promise<void> | undefined;

  constructor(
    store: OffsetStore<Transaction>,
    identity: { readonly consumer: string; readonly topic: string; readonly token: string },
    options: ResolvedSessionOptions,
    onEvent: ((event: OffsetSessionEvent) => void) | undefined,
  ) {
    this.consumer = identity.consumer;
    this.topic = identity.topic;
    this.#token = identity.token;
    this.#store = store;
    this.#options = options;
    this.#emit = emitter(onEvent);
    const partitions = this.#partitions;
    const { owner, renewInterval, flushInterval, maxUnflushedAge } = options;
    const writer = new PositionWriter({
      store,
      owner,
      partitions,
      renewInterval,
      emit: this.#emit,
      onFenced: (state, outcome) => void this.#fence(state, outcome),
      fenced: () => this.#fenced,
      onTtlChanged: () => this.#flusher.wake(),
    });
    this.#writer = writer;
    this.#flusher = new Flusher(
      {
        hasDirty: () => partitions.anyDirty,
        // What is refused for good is no reason for the others to wait.
        dirtySince: () => partitions.earliest((state) => (state.refusal === undefined ? state.dirtySince : undefined)),
        renewalDueAt: () => partitions.earliest((state) => writer.renewalDueAt(state)) ?? Number.POSITIVE_INFINITY,
        write: (renew) => writer.write(renew),
        onStalled: (unflushedForMs) => this.#emit({ type: "stalled", unflushedForMs }),
        onRecovered: () => this.#emit({ type: "recovered" }),
      },
      flushInterval,
      maxUnflushedAge,
    );
  }

  get strategy(): ResolvedSessionOptions["strategy"] {
    return this.#options.strategy;
  }

  get owner(): string {
    return this.#options.owner;
  }

  get fenced(): Error | undefined {
    return this.#fenced;
  }

  get stalled(): boolean {
    return this.#flusher.stalled;
  }

  get unflushed(): boolean {
    return this.#partitions.anyDirty;
  }

  get partitions(): readonly number[] {
    return this.#partitions.numbers;
  }

  hasLost(partition: number): boolean {
    return this.#partitions.hasLost(partition);
  }

  stored(partition: number): OffsetRecord | undefined {
    return this.#partitions.get(partition)?.claimed;
  }

  refusal(partition: number): Error | undefined {
    return this.#partitions.get(partition)?.refusal;
  }

  position(partition: number): bigint | undefined {
    return this.#partitions.get(partition)?.position;
  }

  async claim(partitions: readonly number[], options: CallOptions = {}): Promise<void> {
    const wanted = validatePartitions(partitions).filter((partition) => !this.#partitions.has(partition));
    this.#refuseIfOver();
    const keys = wanted.map((partition) => ({ consumer: this.consumer, topic: this.topic, partition }));
    const { ttl, owner, strategy } = this.#options;
    const claimedAt = performance.now();
    // One token for all, also when a claim is tried again. What was lost once is claimed anew: writes of before are over.
    const tokens = wanted.map((partition) => (this.#partitions.hasLost(partition) ? newToken() : this.#token));
    const tokenOf = (index: number): string => tokens[index] ?? this.#token;
    const outcomes =
      strategy === "none"
        ? await this.#store.fetch(keys, options)
        : await this.#store.claim(
            keys.map((key, index) => ({ key, token: tokenOf(index), owner, ttl })),
            options,
          );
    outcomes.forEach((outcome, index) => {
      const key = keys[index];
      if (outcome.status === "failed") throw outcome.error;
      if (key === undefined) return;
      const record = "record" in outcome ? outcome.record : undefined;
      const epoch = "epoch" in outcome ? outcome.epoch : 0;
      const knownTtl = ttl === undefined ? record?.ttl : (ttl ?? undefined);
      const claim = { token: tokenOf(index), epoch };
      this.#partitions.add(new PartitionState(key, claim, record, knownTtl, claimedAt, strategy === "manual"));
    });
    if (strategy !== "none") this.#flusher.wake();
  }

  startAt(partition: number, nextOffset: bigint, options: { readonly ttl?: number | undefined } = {}): void {
    this.#refuseIfNotCommitting("startAt");
    validateOffset("nextOffset", nextOffset);
    const state = this.#state(partition);
    if (state === undefined) return;
    state.startAt(nextOffset, options.ttl);
    this.#dirtied(state);
  }

  reposition(partition: number, nextOffset: bigint, { durable = false }: RepositionOptions = {}): void {
    if (durable) this.#refuseIfNotCommitting("reposition");
    validateOffset("nextOffset", nextOffset);
    const state = this.#state(partition);
    state?.reposition(nextOffset, durable);
    if (state !== undefined && durable) this.#dirtied(state);
  }

  deliver(record: RecordPosition): void {
    this.#state(record.partition)?.deliver(record.offset);
  }

  commit(record?: RecordPosition): void {
    this.#refuseIfNotCommitting("commit");
    if (record !== undefined) {
      validateRecordOffset(record.offset);
      const state = this.#state(record.partition);
      if (state?.commit(record.offset) === true) this.#dirtied(state);
      return;
    }
    for (const state of this.#partitions) {
      if (state.delivered !== undefined && state.commit(state.delivered)) this.#dirtied(state);
    }
  }

  acknowledge(record: RecordPosition): void {
    this.#refuseIfNotManual("acknowledge");
    validateRecordOffset(record.offset);
    const state = this.#state(record.partition);
    if (state?.acknowledge(record.offset) === true) this.#dirtied(state);
  }

  async commitWithin(transaction: Transaction, record: RecordPosition, options: CallOptions = {}): Promise<void> {
    this.#refuseIfNotManual("commitWithin");
    // Without one the store would write at once and for good, which is the opposite of what was asked.
    if (transaction === undefined || transaction === null) throw new TypeError("commitWithin needs a transaction");
    validateRecordOffset(record.offset);
    const state = this.#state(record.partition);
    if (state === undefined) {
      throw new RangeError(`partition ${record.partition} is not held by this session any more; roll back`);
    }
    const nextOffset = record.offset + 1n;
    const { owner } = this.#options;
    // Inside a transaction positions only go forward, and one that is open may keep the store from writing elsewhere.
    if (state.mayGoBack) {
      throw new Error(
        `reading of partition ${record.partition} went back and the store does not know it: roll back, and before the ` +
          "next transaction call reposition with { durable: true }, and flush()",
      );
    }
    const recreate = this.#writer.mayHaveExpired(state) && { recreate: true, owner, ttl: state.ttl };
    const entry = { key: state.key, nextOffset, ...state.claim, ...recreate };
    try {
      await this.#store.commit([entry], { ...options, transaction });
    } catch (error) {
      if (!(error instanceof OffsetStoreError) || error.refusal?.status !== "fenced") throw error;
      const fenced = this.#fence(state, error.refusal, error);
      // After what is in flight: one write at a time.
      if (this.#fenced !== undefined) this.#lastWrite ??= this.#flusher.idle().then(() => this.#writer.writeLastTime());
      throw fenced;
    }
  }

  async flush(options: CallOptions = {}): Promise<void> {
    this.#refuseIfNotCommitting("flush");
    options.signal?.throwIfAborted();
    await abortable(this.#flusher.flush(), options.signal);
    if (this.#fenced !== undefined) throw this.#fenced;
  }

  async whenReady(options: CallOptions = {}): Promise<void> {
    if (!this.#flusher.stalled) return;
    // Somebody waits: unlike the session's own timers, that keeps the process alive.
    const awake = setInterval(() => undefined, MAX_TIMER_MS);
    try {
      await abortable(this.#flusher.whenReady(), options.signal);
    } finally {
      clearInterval(awake);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const wasFenced = this.#fenced !== undefined;
    try {
      if (this.#options.strategy !== "none" && !wasFenced) await this.#flusher.flush();
    } finally {
      this.#flusher.stop();
      this.#writer.stop();
      await this.#flusher.idle();
      await this.#lastWrite;
    }
    if (!wasFenced && this.#fenced !== undefined) throw this.#fenced;
  }

  #fence(state: PartitionState, outcome: FencedOutcome, cause?: unknown): OffsetFencedError {
    const { reason, owner } = outcome;
    const error = new OffsetFencedError({ key: state.key, reason, owner, cause });
    this.#partitions.lose(state);
    this.#recent = undefined;
    if (this.#options.onFenced === "stop" || this.#partitions.size === 0) {
      this.#fenced ??= error;
      this.#flusher.stop();
    }
    this.#emit({ type: "fenced", key: state.key, reason, owner });
    return error;
  }

  #dirtied(state: PartitionState): void {
    state.dirtySince ??= performance.now();
    this.#flusher.dirtied();
  }

  #state(partition: number): PartitionState | undefined {
    if (this.#recent?.key.partition === partition) return this.#recent;
    const state = this.#partitions.get(partition);
    this.#recent = state;
    // A partition that was dropped after it was fenced is an event already; one that was never claimed is a mistake.
    if (state === undefined && !this.#partitions.hasLost(partition)) {
      throw new RangeError(
        `partition ${partition} of topic ${JSON.stringify(this.topic)} is not claimed by this session; it has ${this.partitions.join(", ")}`,
      );
    }
    return state;
  }

  #refuseIfOver(): void {
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#closing !== undefined) {
      throw new Error(`the session of consumer ${JSON.stringify(this.consumer)} is closed`);
    }
  }

  #refuseIfNotCommitting(verb: string): void {
    this.#refuseIfOver();
    if (this.#options.strategy !== "none") return;
    throw new Error(`${verb} needs a session that commits: strategy "none" only reads`);
  }

  #refuseIfNotManual(verb: string): void {
    this.#refuseIfNotCommitting(verb);
    if (this.#options.strategy === "manual") return;
    throw new Error(`${verb} needs strategy "manual": with "auto" the next record commits the previous one`);
  }
}

/** A record's offset: the position after it must be one too (contract 3.8a). */
function validateRecordOffset(offset: bigint): void {
  validateOffset("offset", offset);
  if (offset === MAX_OFFSET) throw new RangeError("offset must be at most 2^63 - 2: no position lies beyond 2^63 - 1");
}
