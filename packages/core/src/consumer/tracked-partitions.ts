import { OffsetOutOfRangeError } from "../errors/offset-out-of-range-error.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type { OffsetSessionEvent, RevokedReason } from "../session/offset-session.ts";
import { PartitionProgress } from "../session/partition-progress.ts";
import { LOOKS_PER_LEASE } from "../session/sharing.ts";
import { ConsumedPartition } from "./consumed-partition.ts";
import type { ConsumerContext } from "./consumer-context.ts";
import { beginFresh, EARLIEST } from "./fresh-partitions.ts";
import type { InHand } from "./in-hand.ts";
import { type LogBounds, logOf, lookUpBounds } from "./log-bounds.ts";
import type { PartitionSupply, Reading } from "./reading.ts";
import { refreshEvery } from "./refresh-timer.ts";
import type { ResolvedStart } from "./start-position.ts";

/** The partitions that a consumer reads, as they come and go: claimed, assigned, added to the topic, lost. */
export class TrackedPartitions<Transaction> implements PartitionSupply {
  readonly #context: ConsumerContext<Transaction>;
  readonly #inHand: InHand<Transaction>;
  readonly #partitions = new Map<number, ConsumedPartition>();
  // How many partitions the topic had when its consumer began: later ones are read from their beginning.
  #first = Number.POSITIVE_INFINITY;
  // What the members of the group share, with sharing.
  #shared: readonly number[] = [];
  // The reading that has begun to read what there was.
  #opened: Reading | undefined;
  // Where each partition ended when the loop began that reads until then.
  #ends: Promise<ReadonlyMap<number, LogBounds>> | undefined;
  readonly #refreshing: (() => void)[] = [];

  constructor(context: ConsumerContext<Transaction>, inHand: InHand<Transaction>) {
    this.#context = context;
    this.#inHand = inHand;
  }

  /** Their numbers, ascending. */
  get numbers(): readonly number[] {
    return [...this.#partitions.keys()].toSorted((a, b) => a - b);
  }

  get(partition: number): ConsumedPartition | undefined {
    return this.#partitions.get(partition);
  }

  /** The committed position, flushed or not. */
  position(partition: number): bigint | undefined {
    const { session } = this.#context;
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

  /** Begins with the partitions that the topic has: claims them, in a group those that it can have. */
  async begin(existing: readonly number[]): Promise<void> {
    const { session, options, signal } = this.#context;
    const { partitions = existing, start } = options;
    const isWhole = options.partitions === undefined;
    if (session !== undefined) {
      if (isWhole) this.#first = await this.#agreeOn(existing.length);
      this.#shared = partitions;
      await session.begin(partitions, { signal }, false);
      const { ttl } = options.session;
      // What the group agreed on is kept from expiring.
      if (isWhole && typeof ttl === "number")
        this.#refresh(ttl / 3, async () => void (await this.#agreeOn(existing.length)));
    }
    if (session?.isSharing !== true) await this.#takeIn(partitions, start);
    if (isWhole) this.#refresh(options.partitionRefreshInterval, () => this.#addNew());
  }

  /** Looks for no more partitions. */
  stop(): void {
    for (const stop of this.#refreshing) stop();
  }

  /** Takes in what the session holds from now on. */
  async onAssigned(partitions: readonly number[]): Promise<void> {
    try {
      await this.#takeIn(partitions, this.#context.options.start);
    } catch (error) {
      // A start that the log does not have is the caller's to decide; anything else is tried again.
      if (error instanceof OffsetOutOfRangeError) this.#inHand.reading?.fail(error);
      throw error;
    }
    await this.#readNow(partitions);
  }

  /** Stops reading what the session has lost, or gives up: then it resolves when nothing of it is in hand. */
  async onRevoked(partitions: readonly number[], reason: RevokedReason): Promise<void> {
    for (const partition of partitions) this.#drop(partition);
    if (reason === "rebalanced") await this.#inHand.quiet(partitions);
  }

  /** Takes in an event of the session. */
  heard(event: OffsetSessionEvent): void {
    const { session, emit } = this.#context;
    emit(event);
    if (event.type === "flush-failed") {
      for (const { partition } of event.keys) {
        const refusal = session?.refusal(partition);
        const consumed = this.#partitions.get(partition);
        if (refusal !== undefined && consumed !== undefined) this.#inHand.reading?.refuse(consumed, refusal);
      }
    } else if (event.type === "fenced") {
      if (session?.fenced === undefined) this.#drop(event.key.partition);
      this.#inHand.reading?.wake();
    }
  }

  /** Begins to read all that there are, each as soon as it is ready. */
  async open(reading: Reading, ready: (partition: ConsumedPartition) => Promise<void>): Promise<void> {
    const { source, session, options } = this.#context;
    const numbers = session?.isSharing === true ? this.#shared : this.numbers;
    this.#ends = options.untilEnd ? lookUpBounds(logOf(source, options.topic), numbers, reading.signal) : undefined;
    const ends = await this.#ends;
    // Those that there are now; one that comes later is added when it is taken in. One without an end came meanwhile.
    const partitions = [...this.#partitions.values()].filter(({ number }) => ends === undefined || ends.has(number));
    for (const partition of partitions) {
      // What an earlier loop handed out and was not committed comes again.
      partition.progress.reread();
      partition.begin(ends?.get(partition.number)?.latest.offset);
    }
    this.#opened = reading;
    reading.add(partitions, ready);
  }

  /** No handler works on records any more: what was handed out and is not done is handed out again. */
  reread(): void {
    for (const { progress } of this.#partitions.values()) progress.reread();
  }

  async isComplete(signal: AbortSignal): Promise<boolean> {
    const { session, options } = this.#context;
    if (session?.isSharing !== true) return true;
    const ends = options.untilEnd ? await this.#ends : undefined;
    if (ends === undefined) return false;
    // What the others have done shows in what is stored.
    const others = [...ends].filter(([number, { earliest, latest }]) => {
      return !this.#partitions.has(number) && earliest.offset < latest.offset;
    });
    const numbers = others.map(([number]) => number);
    // A store that is away says nothing; it is asked again.
    const stored = await this.#stored(numbers, signal).catch(() => new Map<number, OffsetRecord>());
    return others.every(([number, { latest }]) => (stored.get(number)?.nextOffset ?? 0n) >= latest.offset);
  }

  get lookIntervalMs(): number | undefined {
    const { session } = this.#context;
    return session?.isSharing === true ? session.membership.leaseMs / LOOKS_PER_LEASE : undefined;
  }

  /** Takes partitions in: from what is stored, or from `start`; a position that was resolved is durable when this resolves. */
  async #takeIn(partitions: readonly number[], start: ResolvedStart): Promise<void> {
    const { options, session, emit, signal } = this.#context;
    const { topic, consumer = "" } = options;
    const stored = session === undefined ? await this.#stored(partitions, signal) : undefined;
    const progresses = partitions.flatMap((partition) =>
      session === undefined
        ? new PartitionProgress(this, { consumer, topic, partition }, withoutDone(stored?.get(partition)))
        : (session.held(partition) ?? []),
    );
    // Also one whose start could not be stored: only then it is dirty before anything of it is handed out.
    const fresh = new Set(progresses.filter(({ position, isDirty }) => position === undefined || isDirty));
    await beginFresh(this.#context, [...fresh], start, this.#first);
    for (const progress of progresses) {
      // Lost meanwhile, or lost and claimed again: then it begins with that claim.
      if (progress.isOver) continue;
      const { partition } = progress.key;
      this.#partitions.set(partition, new ConsumedPartition(progress));
      const { position: nextOffset = 0n } = progress;
      emit({ type: fresh.has(progress) ? "started" : "resumed", topic, partition, nextOffset });
    }
  }

  /** Takes in the partitions that the topic has by now, each from its earliest record. */
  async #addNew(): Promise<void> {
    const { source, options, session, emit, closed: signal } = this.#context;
    if (session?.fenced !== undefined) return;
    const { topic } = options;
    const current = await source.partitions(topic, { signal });
    const added = current.filter((partition) => !this.#partitions.has(partition) && session?.knows(partition) !== true);
    if (added.length === 0) return;
    if (session?.isSharing === true) {
      this.#shared = current;
      for (const partition of added) emit({ type: "partition-added", topic, partition });
      // Who reads them is decided as with the others.
      return session.claim(added, { signal }, false);
    }
    try {
      await session?.claim(added, { signal });
    } finally {
      // Those that could be claimed are read, also where others could not: these are tried again.
      const claimed = added.filter((partition) => session === undefined || session.held(partition) !== undefined);
      await this.#takeIn(claimed, EARLIEST);
      for (const partition of claimed) emit({ type: "partition-added", topic, partition });
      await this.#readNow(claimed);
    }
  }

  /** Reads partitions, that were taken in, in the reading that is under way. */
  async #readNow(numbers: readonly number[]): Promise<void> {
    const { reading } = this.#inHand;
    // One that is not open yet reads all that there are when it is.
    if (reading === undefined || this.#opened !== reading) return;
    const ends = await this.#ends;
    // What came to the topic after the loop began has no end to be read to.
    const known = numbers.filter((number) => ends === undefined || ends.has(number));
    const partitions = known
      .flatMap((number) => this.#partitions.get(number) ?? [])
      .filter((partition) => !reading.partitions.has(partition));
    for (const partition of partitions) partition.begin(ends?.get(partition.number)?.latest.offset);
    reading.add(partitions);
  }

  #drop(number: number): void {
    const partition = this.#partitions.get(number);
    this.#partitions.delete(number);
    if (partition === undefined) return;
    this.#inHand.reading?.drop(partition);
    this.#inHand.processor?.moved(partition);
  }

  /** How many partitions the topic had when the first of the group began: later ones are read from their beginning (contract 8.4). */
  async #agreeOn(count: number): Promise<number> {
    const { store, options, signal } = this.#context;
    const { topic, consumer = "" } = options;
    const group = await store?.group({ consumer, topic, partitions: count, ttl: options.session.ttl }, { signal });
    return group?.partitions ?? Number.POSITIVE_INFINITY;
  }

  /** What is stored of partitions, regardless of their holder. */
  async #stored(
    partitions: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<number, OffsetRecord>> {
    const { store, options } = this.#context;
    const { topic, consumer } = options;
    const records = new Map<number, OffsetRecord>();
    if (store === undefined || consumer === undefined || partitions.length === 0) return records;
    const keys = partitions.map((partition) => ({ consumer, topic, partition }));
    for (const outcome of await store.fetch(keys, { signal })) {
      if (outcome.status === "failed") throw outcome.error;
      if (outcome.status === "found") records.set(outcome.record.partition, outcome.record);
    }
    return records;
  }

  #refresh(intervalMs: number, refresh: () => Promise<void>): void {
    const { options, session, emit, closed } = this.#context;
    const onError = (error: Error): void => {
      if (closed.aborted || session?.fenced !== undefined) return;
      emit({ type: "refresh-failed", topic: options.topic, error });
    };
    this.#refreshing.push(refreshEvery(intervalMs, refresh, onError));
  }
}

/** Without a session all records from the position on are read: what a session did beyond it is not skipped. */
function withoutDone(record: OffsetRecord | undefined): Omit<OffsetRecord, "acknowledged"> | undefined {
  if (record === undefined) return undefined;
  const { acknowledged: _, ...position } = record;
  return position;
}
