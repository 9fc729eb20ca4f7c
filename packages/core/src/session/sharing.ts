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
const LOOKS_PER_LEASE = 3;

/** What a {@link Sharing} works with. */
export interface SharingContext {
  readonly store: OffsetStore<never>;
  readonly consumer: string;
  readonly topic: string;
  readonly mode: "balanced" | "standby";
  readonly membership: Membership;
  readonly claims: Claims;
  readonly emit: (event: OffsetSessionEvent) => void;
  /** Partitions were claimed. Rejects where the session cannot begin with them: then they are let go of. */
  readonly onAssigned: (partitions: readonly HeldPartition[]) => Promise<void>;
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
  #looking: Promise<void> | undefined;
  #isAgain = false;
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
    await this.#exclusive(() => this.#look(signal));
    this.#schedule();
  }

  /** Resolves when all of these partitions are held; whoever waits keeps the process alive. */
  async untilHeld(partitions: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    const { claims } = this.#context;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#ended.signal.aborted) return;
      if (partitions.every((partition) => !this.#wanted.has(partition) || claims.held.has(partition))) return;
      await keepingAwake(abortable(this.#looked.promise, signal));
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
    const { topic, emit, membership } = this.#context;
    // Who may be taken for silent claims nothing.
    const look = membership.isSure ? this.#exclusive(() => this.#look(this.#ended.signal)) : Promise.resolve();
    look
      .catch((error: unknown) => {
        if (this.#ended.signal.aborted) return;
        emit({ type: "claim-failed", topic, error: error instanceof Error ? error : new Error(String(error)) });
      })
      .finally(() => {
        const isAgain = this.#isAgain;
        this.#isAgain = false;
        if (isAgain) this.wake();
        else this.#schedule();
      });
  }

  async #exclusive(look: () => Promise<void>): Promise<void> {
    while (this.#looking !== undefined) await this.#looking.catch(() => undefined);
    this.#looking = look().finally(() => {
      this.#looking = undefined;
      this.#looked.resolve();
      this.#looked = Promise.withResolvers();
    });
    await this.#looking;
  }

  get #missing(): number[] {
    const { claims } = this.#context;
    return [...this.#wanted].filter((partition) => !claims.held.has(partition));
  }

  async #look(signal: AbortSignal | undefined): Promise<void> {
    if (this.#context.mode === "standby") return this.#claim(this.#missing, signal);
    const { claims, membership, giveUp } = this.#context;
    const living = await this.#livingMembers(signal);
    const { member } = membership;
    const others = living.filter((other) => other.mode === "balanced" && other.member !== member);
    const self = { member, held: claims.held.size };
    const due = dueShare([...others, self], member, this.#wanted.size);
    const surplus = claims.held.size - due;
    if (surplus > 0) return giveUp(this.#surplus(surplus), this.#ended.signal);
    let candidates = this.#missing;
    // Alone, everything is free.
    if (others.length > 0 && surplus < 0) candidates = await this.#free(candidates, living, signal);
    shuffle(candidates);
    while (claims.held.size < due && candidates.length > 0) {
      // Chosen at random, read in order.
      const next = candidates.splice(0, due - claims.held.size).toSorted((a, b) => a - b);
      await this.#claim(next, signal);
    }
  }

  /** What is given up: first what was to be given up before, then what nobody works on. */
  #surplus(count: number): HeldPartition[] {
    const { claims, isInHand } = this.#context;
    const ranked = [...claims.held.values()].map((partition) => ({
      partition,
      rank: partition.isReleasing ? 0 : isInHand(partition) ? 2 : 1,
    }));
    const first = ranked.toSorted((a, b) => a.rank - b.rank).slice(0, count);
    return first.map(({ partition }) => partition);
  }

  async #claim(partitions: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    if (partitions.length === 0) return;
    const { claims, membership, topic, emit, onAssigned, giveUp } = this.#context;
    const { taken, held, failure } = await claims.take(partitions, { signal, ifIdleFor: membership.leaseMs });
    for (const record of held) this.#tellWaiting(record);
    if (taken.length > 0) {
      for (const { key } of taken) this.#waitedFor.delete(key.partition);
      try {
        // What comes when all has ended is released with the rest.
        if (this.#ended.signal.aborted) return;
        await abortable(onAssigned(taken), this.#ended.signal);
        emit({ type: "assigned", topic, partitions: taken.map(({ key }) => key.partition) });
      } catch (error) {
        // Whoever opens in vain closes, and that releases them.
        if (signal?.aborted !== true) await giveUp(taken, this.#ended.signal).catch(() => undefined);
        throw error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  #tellWaiting({ partition, member = "", owner }: HeldOutcome["record"]): void {
    const { mode, consumer, topic, emit } = this.#context;
    if (mode !== "standby" || this.#waitedFor.get(partition) === member) return;
    this.#waitedFor.set(partition, member);
    emit({ type: "waiting", key: { consumer, topic, partition }, owner });
  }

  async #livingMembers(signal: AbortSignal | undefined): Promise<MemberRecord[]> {
    const { store, consumer, topic } = this.#context;
    const living: MemberRecord[] = [];
    for await (const member of store.members({ consumer, topic }, { signal })) if (member.isLiving) living.push(member);
    return living;
  }

  /** Those that nobody holds, as far as can be seen: the claim itself decides. */
  async #free(
    partitions: readonly number[],
    living: readonly MemberRecord[],
    signal: AbortSignal | undefined,
  ): Promise<number[]> {
    const { store, consumer, topic, membership } = this.#context;
    const others = new Set(living.map(({ member }) => member));
    others.delete(membership.member);
    if (partitions.length === 0) return [];
    const outcomes = await store.fetch(
      partitions.map((partition) => ({ consumer, topic, partition })),
      { signal },
    );
    return partitions.filter((_partition, index) => {
      const outcome = outcomes[index];
      if (outcome?.status === "failed") throw outcome.error;
      return outcome?.status !== "found" || outcome.record.member === undefined || !others.has(outcome.record.member);
    });
  }
}

function shuffle(numbers: number[]): void {
  for (let last = numbers.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] as number, numbers[last] as number];
  }
}
