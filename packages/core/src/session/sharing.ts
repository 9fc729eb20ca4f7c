import { abortable } from "../abortable.ts";
import { keepingAwake } from "../keeping-awake.ts";
import type { MemberRecord } from "../member.ts";
import type { HeldOutcome, OffsetStore } from "../offset-store.ts";
import type { Claims } from "./claims.ts";
import { dueShare } from "./due-share.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { Membership } from "./membership.ts";
import type { OffsetSessionEvent } from "./offset-session.ts";

/** Who is short of partitions looks so often in a lease. */
export const LOOKS_PER_LEASE = 3;

/** What a {@link Sharing} works with. */
export interface SharingContext {
  readonly store: OffsetStore<never>;
  readonly consumer: string;
  readonly topic: string;
  readonly mode: "balanced" | "standby";
  readonly membership: Membership;
  readonly claims: Claims;
  readonly emit: (event: OffsetSessionEvent) => void;
  /**
   * Partitions were claimed. Resolves with those that are still held, and rejects where the session cannot begin with them: then
   * they are let go of.
   */
  readonly onAssigned: (partitions: readonly HeldPartition[]) => Promise<readonly HeldPartition[]>;
  /** Whether a record of a partition is in hand: then others are given up first. */
  readonly isInHand: (partition: HeldPartition) => boolean;
  /** Stops handing out partitions, waits for what is in hand, and releases them. */
  readonly giveUp: (partitions: readonly HeldPartition[], signal: AbortSignal) => Promise<void>;
}

/**
 * Takes part in a group: claims what nobody holds, gives up what others are due (contract 8.6 and 8.7). One look at a time, so
 * many in a lease; its timer keeps no process alive, whoever waits for a partition does.
 */
export class Sharing {
  readonly #context: SharingContext;
  readonly #wanted = new Set<number>();
  readonly #ended = new AbortController();
  // Who was told to be waited for, by partition.
  readonly #waitedFor = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<unknown> | undefined;
  // Those that are given up: they are held until what is in hand is done.
  readonly #leaving = new Set<HeldPartition>();
  #isAgain = false;
  #hasLooked = false;
  // How many wait until all that they want is held.
  #waiting = 0;
  #looked = Promise.withResolvers<void>();

  constructor(context: SharingContext) {
    this.#context = context;
  }

  /** Whether a partition is one of those that the group shares. */
  has(partition: number): boolean {
    return this.#wanted.has(partition);
  }

  /** The group shares these partitions, too. */
  add(partitions: readonly number[]): void {
    for (const partition of partitions) this.#wanted.add(partition);
  }

  /** This member does not want these partitions any more. */
  remove(partitions: readonly number[]): void {
    for (const partition of partitions) this.#wanted.delete(partition);
  }

  /** One look that the caller waits for, and then one from time to time. Rejects with what the store refuses. */
  async begin(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#exclusive(() => this.#look(signal));
    } finally {
      this.#next();
    }
  }

  /** Resolves when all of these partitions are held; whoever waits keeps the process alive. */
  async untilHeld(partitions: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    const { claims } = this.#context;
    this.#waiting += 1;
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (this.#ended.signal.aborted) return;
        if (partitions.every((partition) => !this.#wanted.has(partition) || claims.held.has(partition))) return;
        await keepingAwake(abortable(this.#looked.promise, signal));
      }
    } finally {
      this.#waiting -= 1;
    }
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

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#ended.signal.aborted) return;
    this.#timer = setTimeout(() => this.#onTimer(), this.#context.membership.leaseMs / LOOKS_PER_LEASE);
    this.#timer.unref();
  }

  #onTimer(): void {
    const { membership } = this.#context;
    // Who may be taken for silent claims nothing.
    const look = membership.isSure ? this.#exclusive(() => this.#look(this.#ended.signal)) : Promise.resolve();
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

  get #missing(): number[] {
    const { claims } = this.#context;
    return [...this.#wanted].filter((partition) => !claims.held.has(partition));
  }

  async #look(signal: AbortSignal | undefined): Promise<void> {
    if (this.#context.mode === "standby") return this.#lookInStandby(signal);
    const { claims, membership } = this.#context;
    const living = await this.#livingMembers(signal);
    const { member } = membership;
    // What a former session of this instance holds is taken over at once, whatever is due.
    if (membership.isInstance && !this.#hasLooked) await this.#claim(await this.#heldBy(member, signal), signal);
    this.#hasLooked = true;
    const others = living.filter((other) => other.mode === "balanced" && other.member !== member);
    const self = { member, held: claims.held.size };
    const due = dueShare([...others, self], member, this.#wanted.size);
    const surplus = this.#kept - due;
    if (surplus > 0) return this.#giveUp(this.#surplus(surplus));
    let candidates = this.#missing;
    // Alone, everything is free.
    const isAlone = living.every((other) => other.member === member);
    if (!isAlone && surplus < 0) candidates = await this.#free(candidates, living, signal);
    shuffle(candidates);
    while (this.#kept < due && candidates.length > 0) {
      // Chosen at random, read in order.
      const next = candidates.splice(0, due - this.#kept).toSorted((a, b) => a - b);
      await this.#claim(next, signal);
    }
  }

  /**
   * Who waits for all of its partitions keeps none that comes after one that another holds: two that wait for each other's would
   * wait for ever.
   */
  async #lookInStandby(signal: AbortSignal | undefined): Promise<void> {
    const missing = this.#missing.toSorted((a, b) => a - b);
    if (this.#waiting === 0) return this.#claim(missing, signal);
    const [lowest, ...others] = missing;
    if (lowest === undefined) return;
    const { claims } = this.#context;
    await this.#claim([lowest], signal);
    if (claims.held.has(lowest)) return this.#claim(others, signal);
    const higher = [...claims.held.values()].filter(({ key }) => key.partition > lowest);
    if (higher.length > 0) this.#giveUp(higher);
  }

  /** How many partitions are held, without those that are given up. */
  get #kept(): number {
    for (const partition of this.#leaving) {
      if (this.#context.claims.held.get(partition.key.partition) !== partition) this.#leaving.delete(partition);
    }
    return this.#context.claims.held.size - this.#leaving.size;
  }

  /** Beside the looks: what is in hand may take a while, and meanwhile others may fall silent. */
  #giveUp(partitions: readonly HeldPartition[]): void {
    const { giveUp } = this.#context;
    for (const partition of partitions) this.#leaving.add(partition);
    giveUp(partitions, this.#ended.signal)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        for (const partition of partitions) this.#leaving.delete(partition);
      });
  }

  #failed(error: unknown): void {
    const { topic, emit } = this.#context;
    if (this.#ended.signal.aborted) return;
    emit({ type: "claim-failed", topic, error: error instanceof Error ? error : new Error(String(error)) });
  }

  /** What is given up: first what was to be given up before, then what nobody works on. */
  #surplus(count: number): HeldPartition[] {
    const { claims, isInHand } = this.#context;
    const kept = [...claims.held.values()].filter((partition) => !this.#leaving.has(partition));
    const ranked = kept.map((partition) => ({
      partition,
      rank: partition.isReleasing ? 0 : isInHand(partition) ? 2 : 1,
    }));
    const first = ranked.toSorted((a, b) => a.rank - b.rank).slice(0, count);
    return first.map(({ partition }) => partition);
  }

  async #claim(partitions: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    if (partitions.length === 0) return;
    const { mode, claims, membership, topic, emit, onAssigned, giveUp } = this.#context;
    const { taken, held, failure } = await claims.take(partitions, { signal, ifIdleFor: membership.leaseMs });
    if (mode === "standby") for (const record of held) this.#tellWaiting(record);
    if (taken.length > 0) {
      for (const { key } of taken) this.#waitedFor.delete(key.partition);
      try {
        // What comes when all has ended is released with the rest.
        if (this.#ended.signal.aborted) return;
        const ends = signal === undefined ? this.#ended.signal : AbortSignal.any([signal, this.#ended.signal]);
        const assigned = await abortable(onAssigned(taken), ends);
        const numbers = assigned.map(({ key }) => key.partition);
        if (numbers.length > 0) emit({ type: "assigned", topic, partitions: numbers });
      } catch (error) {
        // Whoever opens in vain closes, and that releases them.
        if (signal?.aborted !== true) await giveUp(taken, this.#ended.signal).catch(() => undefined);
        throw error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  #tellWaiting({ partition, member = "", owner }: HeldOutcome["record"]): void {
    const { consumer, topic, emit } = this.#context;
    if (this.#waitedFor.get(partition) === member) return;
    this.#waitedFor.set(partition, member);
    emit({ type: "waiting", key: { consumer, topic, partition }, owner });
  }

  async #livingMembers(signal: AbortSignal | undefined): Promise<MemberRecord[]> {
    const { store, consumer, topic } = this.#context;
    const living: MemberRecord[] = [];
    for await (const member of store.members({ consumer, topic }, { signal })) if (member.isLiving) living.push(member);
    return living;
  }

  /** Those whose record names a member. */
  async #heldBy(member: string, signal: AbortSignal | undefined): Promise<number[]> {
    const { store, consumer, topic } = this.#context;
    const partitions = this.#missing;
    const keys = partitions.map((partition) => ({ consumer, topic, partition }));
    const outcomes = keys.length === 0 ? [] : await store.fetch(keys, { signal });
    return partitions.filter((_partition, index) => {
      const outcome = outcomes[index];
      return outcome?.status === "found" && outcome.record.member === member;
    });
  }

  /** Those that nobody holds, as far as can be seen: the claim itself decides. */
  async #free(
    partitions: readonly number[],
    living: readonly MemberRecord[],
    signal: AbortSignal | undefined,
  ): Promise<number[]> {
    const { store, consumer, topic, membership } = this.#context;
    const others = new Map(living.map(({ member, mode }) => [member, mode]));
    others.delete(membership.member);
    if (partitions.length === 0) return [];
    const outcomes = await store.fetch(
      partitions.map((partition) => ({ consumer, topic, partition })),
      { signal },
    );
    return partitions.filter((_partition, index) => {
      const outcome = outcomes[index];
      if (outcome?.status === "failed") throw outcome.error;
      if (outcome?.status !== "found" || outcome.record.member === undefined) return true;
      const mode = others.get(outcome.record.member);
      // One that shares gives it up by itself; another is waited for until it ends.
      if (mode !== undefined && mode !== "balanced") this.#tellWaiting(outcome.record);
      return mode === undefined;
    });
  }
}

function shuffle(numbers: number[]): void {
  for (let last = numbers.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] as number, numbers[last] as number];
  }
}
