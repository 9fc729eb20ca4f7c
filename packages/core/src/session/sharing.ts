import { setTimeout as pause } from "node:timers/promises";
import { abortable } from "../abortable.ts";
import { withinDeadline } from "../driver/deadline.ts";
import { keepingAwake } from "../keeping-awake.ts";
import type { HeldOutcome } from "../offset-store.ts";
import type { Claims, TakenClaims, TakeOptions } from "./claims.ts";
import { dueShare } from "./due-share.ts";
import { freePartitions, heldByItself, livingMembers, releasedPartitions } from "./free-partitions.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { Membership } from "./membership.ts";
import { transactionsOver } from "./own-transaction.ts";
import type { PositionFlusher } from "./position-flusher.ts";
import type { SessionContext } from "./session-context.ts";
import { type SharingListener, tellRevoked } from "./sharing-listener.ts";

/** Who is short of partitions looks so often in a lease. */
export const LOOKS_PER_LEASE = 3;
/** A write without an answer is not taken to come later than so many leases after its call. */
const UNKNOWN_LEASES = 3;

/**
 * Takes part in a group: claims what is free, gives up what others are due (contract 8.6 and 8.7). One look at a time, so
 * many in a lease; its timer keeps no process alive, a call that waits for a partition does.
 */
export class Sharing {
  readonly #context: SessionContext;
  readonly #claims: Claims;
  readonly #flusher: PositionFlusher;
  readonly #membership: Membership;
  readonly #listener: SharingListener;
  readonly #wanted = new Set<number>();
  readonly #ended = new AbortController();
  // The holder of each partition that was reported as waited for.
  readonly #waitedFor = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<unknown> | undefined;
  // Those that are given up: they are held until what is in hand is done.
  readonly #leaving = new Set<HeldPartition>();
  #isAgain = false;
  // Since when more may be stored as this member's than it knows: by a former session of its instance, or by a claim of its own
  // without an answer. `undefined`: a look has shown all since.
  #mayHoldMoreSince: number | undefined;
  // How many wait until all that they want is held.
  #waiting = 0;
  #looked = Promise.withResolvers<void>();

  constructor(
    context: SessionContext,
    claims: Claims,
    flusher: PositionFlusher,
    membership: Membership,
    listener: SharingListener,
  ) {
    this.#context = context;
    this.#claims = claims;
    this.#flusher = flusher;
    this.#membership = membership;
    this.#listener = listener;
  }

  /** Whether a partition is one of those that the group shares. */
  has(partition: number): boolean {
    return this.#wanted.has(partition);
  }

  /**
   * The group shares these partitions, too. One look that the caller waits for, and then one from time to time; with `waits` the
   * caller waits in standby until all of them are held. Rejects with what the store refuses.
   */
  async share(partitions: readonly number[], signal: AbortSignal | undefined, waits: boolean): Promise<void> {
    for (const partition of partitions) this.#wanted.add(partition);
    try {
      await this.#exclusive(() => {
        if (this.#membership.isInstance) this.#mayHoldMoreSince ??= performance.now();
        return this.#look(signal);
      });
    } finally {
      this.#next();
    }
    if (waits && this.#isStandby) await this.#untilHeld(partitions, signal);
  }

  /** This member does not want these partitions any more. */
  remove(partitions: readonly number[]): void {
    for (const partition of partitions) this.#wanted.delete(partition);
  }

  /** Looks at once: a partition was lost, or there are more of them. */
  wake(): void {
    if (this.#ended.signal.aborted) return;
    clearTimeout(this.#timer);
    if (this.#looking !== undefined) this.#isAgain = true;
    else this.#onTimer();
  }

  /** Ends: nothing more is claimed. */
  async stop(): Promise<void> {
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.#looked.resolve();
    await this.#looking?.catch(() => undefined);
  }

  /** Resolves when all of these partitions are held; waiting keeps the process alive. */
  async #untilHeld(partitions: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    this.#waiting += 1;
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (this.#ended.signal.aborted) return;
        if (partitions.every((partition) => !this.#wanted.has(partition) || this.#claims.held.has(partition))) return;
        await keepingAwake(abortable(this.#looked.promise, signal));
      }
    } finally {
      this.#waiting -= 1;
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#ended.signal.aborted) return;
    this.#timer = setTimeout(() => this.#onTimer(), this.#membership.leaseMs / LOOKS_PER_LEASE);
    this.#timer.unref();
  }

  #onTimer(): void {
    // Who may be taken for silent claims nothing.
    const look = this.#membership.isSure ? this.#exclusive(() => this.#look(this.#ended.signal)) : Promise.resolve();
    look.catch((error: unknown) => this.#failed(error)).finally(() => this.#next());
  }

  /** The next look: at once where one was asked for meanwhile. */
  #next(): void {
    const isAgain = this.#isAgain;
    this.#isAgain = false;
    if (isAgain) this.wake();
    else this.#schedule();
  }

  /** Does something while no look is under way. */
  async #exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#looking !== undefined) await this.#looking.catch(() => undefined);
    const looking = work().finally(() => {
      this.#looking = undefined;
      this.#looked.resolve();
      this.#looked = Promise.withResolvers();
    });
    this.#looking = looking;
    return looking;
  }

  get #isStandby(): boolean {
    return this.#context.options.sharing === "standby";
  }

  get #missing(): number[] {
    return [...this.#wanted].filter((partition) => !this.#claims.held.has(partition));
  }

  async #look(signal: AbortSignal | undefined): Promise<void> {
    if (this.#isStandby) return this.#lookInStandby(signal);
    const { member } = this.#context;
    const living = await livingMembers(this.#context, signal);
    // What is stored as its own comes first, also beyond its share: nobody else would claim it while this member lives.
    if (this.#mayHoldMoreSince !== undefined) {
      // What is written until then is seen by this look.
      const isLast = performance.now() - this.#mayHoldMoreSince >= UNKNOWN_LEASES * this.#membership.leaseMs;
      const { own, isSure } = await heldByItself(this.#context, this.#missing, signal);
      await this.#claim(own, signal);
      if (isLast && isSure) this.#mayHoldMoreSince = undefined;
    }
    const others = living.filter((other) => other.mode === "balanced" && other.member !== member);
    const self = { member, held: this.#claims.held.size };
    const due = dueShare([...others, self], member, this.#wanted.size);
    const surplus = this.#kept - due;
    if (surplus > 0) return this.#giveUp(this.#surplus(surplus));
    let candidates = this.#missing;
    // Alone, everything is free.
    const isAlone = living.every((other) => other.member === member);
    if (!isAlone && surplus < 0) {
      const onWaiting = (record: HeldOutcome["record"]): void => this.#tellWaiting(record);
      candidates = await freePartitions(this.#context, candidates, living, onWaiting, signal);
    }
    shuffle(candidates);
    while (this.#kept < due && candidates.length > 0) {
      // Chosen at random, read in order.
      const next = candidates.splice(0, due - this.#kept).toSorted((a, b) => a - b);
      await this.#claim(next, signal);
    }
  }

  /**
   * Who waits for all of its partitions keeps none that comes after one that another holds: two that wait for each other's would
   * wait forever.
   */
  async #lookInStandby(signal: AbortSignal | undefined): Promise<void> {
    const missing = this.#missing.toSorted((a, b) => a - b);
    if (this.#waiting === 0) return this.#claim(missing, signal);
    const [lowest, ...others] = missing;
    if (lowest === undefined) return;
    const { held } = this.#claims;
    await this.#claim([lowest], signal);
    if (held.has(lowest)) return this.#claim(others, signal);
    // It was not claimed: perhaps no other member holds it.
    if (!this.#membership.mayClaim) return;
    const kept = [...held.values()].filter((partition) => !this.#leaving.has(partition));
    const higher = kept.filter(({ key }) => key.partition > lowest);
    if (higher.length > 0) this.#giveUp(higher);
  }

  /** How many partitions are held, without those that are given up. */
  get #kept(): number {
    for (const partition of this.#leaving) if (partition.isOver) this.#leaving.delete(partition);
    return this.#claims.held.size - this.#leaving.size;
  }

  /** Beside the looks: what is in hand may take a while, and meanwhile others may fall silent. */
  #giveUp(partitions: readonly HeldPartition[]): void {
    for (const partition of partitions) this.#leaving.add(partition);
    this.#untilReleased(partitions)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        for (const partition of partitions) this.#leaving.delete(partition);
      });
  }

  /** What could not be written is still held; the flusher tries it again. */
  async #untilReleased(partitions: readonly HeldPartition[]): Promise<void> {
    await this.#release(partitions).catch((error: unknown) => this.#failed(error));
    for (let rest = heldOf(partitions); rest.length > 0; rest = heldOf(rest)) {
      await pause(this.#membership.leaseMs / LOOKS_PER_LEASE, undefined, { ref: false, signal: this.#ended.signal });
      this.#tellReleased(rest);
    }
  }

  /** What is in hand is waited for, then partitions are flushed and released in one write. */
  async #release(partitions: readonly HeldPartition[]): Promise<void> {
    const { signal } = this.#ended;
    const numbers = partitions.map(({ key }) => key.partition);
    const quiet = tellRevoked(this.#listener, numbers, "rebalanced");
    await withinDeadline(this.#context.options.revokeTimeout, signal, () => quiet).catch(() => undefined);
    // `close` releases all of them.
    if (signal.aborted) return;
    await transactionsOver(partitions);
    try {
      const held = heldOf(partitions);
      if (held.length > 0) await this.#flusher.release(held);
    } finally {
      this.#tellReleased(partitions);
    }
  }

  #tellReleased(partitions: readonly HeldPartition[]): void {
    const { topic, emit } = this.#context;
    const numbers = partitions.flatMap(({ isOver, key }) => (isOver ? key.partition : []));
    if (numbers.length > 0)
      emit({ type: "revoked", topic, partitions: numbers, reason: "rebalanced", owner: undefined });
  }

  #failed(error: unknown): void {
    const { topic, emit } = this.#context;
    if (this.#ended.signal.aborted) return;
    emit({ type: "claim-failed", topic, error: error instanceof Error ? error : new Error(String(error)) });
  }

  /** What is given up: first what was to be given up before, then what no call works on. */
  #surplus(count: number): HeldPartition[] {
    const kept = [...this.#claims.held.values()].filter((partition) => !this.#leaving.has(partition));
    const ranked = kept.map((partition) => ({
      partition,
      rank: partition.isReleasing ? 0 : this.#listener.isInHand(partition.key.partition) ? 2 : 1,
    }));
    const first = ranked.toSorted((a, b) => a.rank - b.rank).slice(0, count);
    return first.map(({ partition }) => partition);
  }

  async #claim(wanted: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    const partitions = this.#membership.mayClaim ? wanted : await releasedPartitions(this.#context, wanted, signal);
    if (partitions.length === 0) return;
    const { topic, emit } = this.#context;
    const ifIdleFor = this.#membership.leaseMs;
    const { taken, held, failure } = await this.#take(partitions, { signal, ifIdleFor });
    if (this.#isStandby) for (const record of held) this.#tellWaiting(record);
    if (taken.length > 0) {
      for (const { key } of taken) this.#waitedFor.delete(key.partition);
      try {
        // What comes when all has ended is released with the rest.
        if (this.#ended.signal.aborted) return;
        const ends = signal === undefined ? this.#ended.signal : AbortSignal.any([signal, this.#ended.signal]);
        await abortable(this.#assigned(taken), ends);
        // The store may have said meanwhile that some are lost.
        const numbers = taken.filter(({ isOver }) => !isOver).map(({ key }) => key.partition);
        if (numbers.length > 0) emit({ type: "assigned", topic, partitions: numbers });
      } catch (error) {
        // Where the caller aborted, the opening fails and closes the session, which releases them.
        if (signal?.aborted !== true) await this.#release(taken).catch(() => undefined);
        throw error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  async #take(partitions: readonly number[], options: TakeOptions): Promise<TakenClaims> {
    let isAnswered = false;
    try {
      const answer = await this.#claims.take(partitions, options);
      isAnswered = answer.failure === undefined;
      return answer;
    } finally {
      if (!isAnswered) this.#mayHoldMoreSince = performance.now();
    }
  }

  async #assigned(partitions: readonly HeldPartition[]): Promise<void> {
    for (const partition of partitions) this.#flusher.watch(partition);
    await this.#listener.onAssigned(partitions.map(({ key }) => key.partition));
  }

  #tellWaiting({ partition, member = "", owner }: HeldOutcome["record"]): void {
    const { consumer, topic, emit } = this.#context;
    if (this.#waitedFor.get(partition) === member) return;
    this.#waitedFor.set(partition, member);
    emit({ type: "waiting", key: { consumer, topic, partition }, owner });
  }
}

function heldOf(partitions: readonly HeldPartition[]): HeldPartition[] {
  return partitions.filter(({ isOver }) => !isOver);
}

function shuffle(numbers: number[]): void {
  for (let last = numbers.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] as number, numbers[last] as number];
  }
}
