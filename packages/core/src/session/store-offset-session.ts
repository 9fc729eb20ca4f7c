import { abortable } from "../abortable.ts";
import { emitter } from "../emitter.ts";
import { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { CallOptions, CommitOutcome, FencedOutcome, OffsetStore } from "../offset-store.ts";
import type { OffsetRecord } from "../offset-record.ts";
import { Flusher } from "./flusher.ts";
import type { OffsetSession, OffsetSessionEvent, RecordPosition } from "./offset-session.ts";
import { PartitionState, type PendingWrite } from "./partition-state.ts";
import { type ResolvedSessionOptions, validatePartitions } from "./session-options.ts";

const DEFAULT_RENEW_INTERVAL_MS = 30_000;
// A rewind whose base moved under it is sent again at once; more often than this is no race any more.
const MAX_IMMEDIATE_ATTEMPTS = 4;

/** Where a session's parts meet: claims, local commits, writes, and what the answers mean. */
export class StoreOffsetSession<Transaction> implements OffsetSession<Transaction> {
  readonly consumer: string;
  readonly topic: string;
  readonly #store: OffsetStore<Transaction>;
  readonly #token: string;
  readonly #options: ResolvedSessionOptions;
  readonly #emit: (event: OffsetSessionEvent) => void;
  readonly #states = new Map<number, PartitionState>();
  readonly #flusher: Flusher;
  #fenced: OffsetFencedError | undefined;
  #closing: Promise<void> | undefined;
  #ttlReadAt = performance.now();
  readonly #dropped = new Set<number>();
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
    this.#flusher = new Flusher(
      {
        hasDirty: () => this.#anyDirty(),
        dirtySince: () => this.#oldest((state) => state.dirtySince),
        renewalDueAt: () => this.#oldest((state) => this.#renewalDueAt(state)) ?? Number.POSITIVE_INFINITY,
        write: (renew) => this.#write(renew),
        onStalled: (unflushedForMs) => this.#emit({ type: "stalled", unflushedForMs }),
        onRecovered: () => this.#emit({ type: "recovered" }),
      },
      options.flushInterval,
      options.maxUnflushedAge,
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
    return this.#anyDirty();
  }

  get partitions(): readonly number[] {
    return [...this.#states.keys()].toSorted((a, b) => a - b);
  }

  hasLost(partition: number): boolean {
    return this.#dropped.has(partition);
  }

  stored(partition: number): OffsetRecord | undefined {
    return this.#states.get(partition)?.claimed;
  }

  position(partition: number): bigint | undefined {
    return this.#states.get(partition)?.position;
  }

  async claim(partitions: readonly number[], options: CallOptions = {}): Promise<void> {
    const wanted = validatePartitions(partitions).filter((partition) => !this.#states.has(partition));
    this.#refuseIfOver();
    const keys = wanted.map((partition) => ({ consumer: this.consumer, topic: this.topic, partition }));
    const { ttl, owner, strategy } = this.#options;
    const claimedAt = performance.now();
    const outcomes =
      strategy === "none"
        ? await this.#store.fetch(keys, options)
        : await this.#store.claim(
            keys.map((key) => ({ key, token: this.#token, owner, ttl })),
            options,
          );
    outcomes.forEach((outcome, index) => {
      const key = keys[index];
      if (outcome.status === "failed") throw outcome.error;
      if (key === undefined) return;
      const record = "record" in outcome ? outcome.record : undefined;
      const knownTtl = ttl === undefined ? record?.ttl : (ttl ?? undefined);
      this.#states.set(
        key.partition,
        new PartitionState(key, record, knownTtl, claimedAt, strategy === "manual"),
      );
    });
    if (strategy !== "none") this.#flusher.wake();
  }

  startAt(partition: number, nextOffset: bigint, options: { readonly ttl?: number | undefined } = {}): void {
    this.#refuseIfNotCommitting("startAt");
    const state = this.#state(partition);
    if (state === undefined) return;
    state.startAt(nextOffset, options.ttl);
    this.#dirtied(state);
  }

  reposition(partition: number, nextOffset: bigint): void {
    this.#state(partition)?.reposition(nextOffset);
  }

  deliver(record: RecordPosition): void {
    this.#states.get(record.partition)?.deliver(record.offset);
  }

  commit(record?: RecordPosition): void {
    this.#refuseIfNotCommitting("commit");
    if (record !== undefined) {
      const state = this.#state(record.partition);
      if (state?.commit(record.offset) === true) this.#dirtied(state);
      return;
    }
    for (const state of this.#states.values()) {
      if (state.delivered !== undefined && state.commit(state.delivered)) this.#dirtied(state);
    }
  }

  acknowledge(record: RecordPosition): void {
    this.#refuseIfNotManual("acknowledge");
    const state = this.#state(record.partition);
    if (state?.acknowledge(record.offset) === true) this.#dirtied(state);
  }

  async commitWithin(transaction: Transaction, record: RecordPosition, options: CallOptions = {}): Promise<void> {
    this.#refuseIfNotManual("commitWithin");
    const state = this.#state(record.partition);
    if (state === undefined) {
      throw new RangeError(`partition ${record.partition} is not held by this session any more; roll back`);
    }
    const nextOffset = record.offset + 1n;
    const { owner } = this.#options;
    const recreate = this.#mayHaveExpired(state) && { recreate: true, owner, ttl: state.ttl };
    const entry = { key: state.key, token: this.#token, nextOffset, ...state.rewindFor(nextOffset), ...recreate };
    try {
      await this.#store.commit([entry], { ...options, transaction });
    } catch (error) {
      if (!(error instanceof OffsetStoreError) || error.refusal?.status !== "fenced") throw error;
      throw this.#fence(state, error.refusal, error);
    }
  }

  async flush(options: CallOptions = {}): Promise<void> {
    this.#refuseIfNotCommitting("flush");
    await abortable(this.#flusher.flush(), options.signal);
    if (this.#fenced !== undefined) throw this.#fenced;
  }

  whenReady(options: CallOptions = {}): Promise<void> {
    return abortable(this.#flusher.whenReady(), options.signal);
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
      await this.#flusher.idle();
      await this.#lastWrite;
    }
    if (!wasFenced && this.#fenced !== undefined) throw this.#fenced;
  }

  /** One write: all that is dirty, and claims that are due. Sends again at once what only a race refused. */
  async #write(renew: boolean): Promise<void> {
    let failure: OffsetStoreError | undefined;
    const now = performance.now();
    let writes = this.#collect((state) => state.dirty || (renew && this.#renewalDueAt(state) <= now));
    for (let attempt = 1; writes.length > 0; attempt += 1) {
      const sentAt = performance.now();
      let outcomes: CommitOutcome[];
      try {
        outcomes = await this.#store.commit(writes.map(({ entry }) => entry));
      } catch (error) {
        if (!(error instanceof OffsetStoreError)) throw error;
        this.#emit({ type: "flush-failed", keys: writes.map(({ state }) => state.key), error });
        throw error;
      }
      const again = new Set<PartitionState>();
      outcomes.forEach((outcome, index) => {
        const write = writes[index];
        if (write === undefined) return;
        if (outcome.status === "failed") {
          failure ??= outcome.error;
          this.#emit({ type: "flush-failed", keys: [write.state.key], error: outcome.error });
        } else if (this.#answered(write, outcome, sentAt) && attempt < MAX_IMMEDIATE_ATTEMPTS) {
          again.add(write.state);
        }
      });
      writes = this.#collect((state) => again.has(state));
    }
    await this.#readTtls();
    if (failure !== undefined) throw failure;
    if (this.#fenced !== undefined) throw this.#fenced;
  }

  /** Takes in one answer. Gives whether the entry is to be sent again at once. */
  #answered(write: PendingWrite, outcome: Exclude<CommitOutcome, { status: "failed" }>, sentAt: number): boolean {
    const { state, entry } = write;
    switch (outcome.status) {
      case "committed":
        if (entry.recreate === true) {
          this.#emit({ type: "recreated", key: state.key, nextOffset: entry.nextOffset });
        }
        state.acknowledged(write, sentAt);
        return false;
      case "behind":
        if (state.behind(write, outcome.record, sentAt)) return true;
        this.#emit({ type: "behind", key: state.key, sent: entry.nextOffset ?? 0n, record: outcome.record });
        return false;
      case "fenced":
        // The record may have expired on the way: between the moment of sending and that of writing (contract 3.11).
        if (outcome.reason === "absent" && entry.recreate !== true && this.#mayHaveExpired(state)) return true;
        this.#fence(state, outcome);
        return false;
    }
  }

  #collect(included: (state: PartitionState) => boolean): PendingWrite[] {
    const writes: PendingWrite[] = [];
    for (const state of this.#states.values()) {
      if (included(state)) writes.push(state.write(this.#token, this.#options.owner, this.#mayHaveExpired(state)));
    }
    return writes;
  }

  /** Learns TTLs that an operator changed meanwhile: renewals and the decision to write anew depend on them. */
  async #readTtls(): Promise<void> {
    const now = performance.now();
    if (now - this.#ttlReadAt < (this.#options.renewInterval ?? DEFAULT_RENEW_INTERVAL_MS)) return;
    this.#ttlReadAt = now;
    const states = [...this.#states.values()];
    const outcomes = await this.#store.fetch(states.map((state) => state.key)).catch(() => []);
    outcomes.forEach((outcome, index) => {
      const state = states[index];
      if (state !== undefined && outcome.status === "found") state.ttl = outcome.record.ttl;
    });
  }

  #fence(state: PartitionState, outcome: FencedOutcome, cause?: unknown): OffsetFencedError {
    const { reason, owner } = outcome;
    const error = new OffsetFencedError({ key: state.key, reason, owner, cause });
    this.#states.delete(state.key.partition);
    this.#dropped.add(state.key.partition);
    if (this.#options.onFenced === "stop" || this.#states.size === 0) {
      this.#fenced ??= error;
      this.#writeLastTime();
    }
    this.#emit({ type: "fenced", key: state.key, reason, owner });
    return error;
  }

  /** What is still owned is written once more, without anybody waiting, and then nothing ever again. */
  #writeLastTime(): void {
    this.#flusher.stop();
    const writes = this.#collect((state) => state.dirty);
    if (writes.length === 0) return;
    this.#lastWrite ??= this.#store.commit(writes.map(({ entry }) => entry)).then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof OffsetStoreError) {
          this.#emit({ type: "flush-failed", keys: writes.map(({ state }) => state.key), error });
        }
      },
    );
  }

  #mayHaveExpired(state: PartitionState): boolean {
    const { granularityMs } = this.#store.capabilities.expiry;
    return state.ttl !== undefined && performance.now() - state.lastWriteAt + granularityMs >= state.ttl;
  }

  #renewalDueAt(state: PartitionState): number {
    const interval =
      this.#options.renewInterval ?? Math.min(DEFAULT_RENEW_INTERVAL_MS, (state.ttl ?? Number.POSITIVE_INFINITY) / 3);
    return state.lastWriteAt + interval;
  }

  #dirtied(state: PartitionState): void {
    state.dirtySince ??= performance.now();
    this.#flusher.wake();
  }

  #anyDirty(): boolean {
    for (const state of this.#states.values()) if (state.dirty) return true;
    return false;
  }

  #oldest(time: (state: PartitionState) => number | undefined): number | undefined {
    let oldest: number | undefined;
    for (const state of this.#states.values()) {
      const at = time(state);
      if (at !== undefined && (oldest === undefined || at < oldest)) oldest = at;
    }
    return oldest;
  }

  #state(partition: number): PartitionState | undefined {
    const state = this.#states.get(partition);
    // A partition that was dropped after it was fenced is an event already; one that was never claimed is a mistake.
    if (state === undefined && !this.#dropped.has(partition)) {
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
