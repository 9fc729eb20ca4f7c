import { withinDeadline } from "../driver/deadline.ts";
import { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import type { MemberRecord } from "../member.ts";
import type { FencedOutcome } from "../offset-store.ts";
import type { Claims } from "./claims.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { Membership } from "./membership.ts";
import type { OffsetSessionEvent, RevokedReason } from "./offset-session.ts";
import { lostWithin, transactionsOver } from "./own-transaction.ts";
import type { PositionFlusher } from "./position-flusher.ts";
import type { ResolvedSessionOptions } from "./session-options.ts";
import type { Sharing } from "./sharing.ts";

/** Whom a session asks before it goes on with partitions that came or go. */
export interface SharingListener {
  /** Partitions are held from now on. */
  readonly onAssigned: (partitions: readonly number[]) => Promise<void> | void;
  /** Whether a record of a partition is in hand. */
  readonly isInHand: (partition: number) => boolean;
  /** Partitions go to others, once what is in hand is done: what this resolves for. With another reason they are lost already. */
  readonly onRevoked: (partitions: readonly number[], reason: RevokedReason) => Promise<void> | void;
}

/** What {@link PartitionLosses} work with. */
export interface PartitionLossesContext {
  readonly topic: string;
  readonly options: ResolvedSessionOptions;
  readonly claims: Claims;
  readonly flusher: PositionFlusher;
  readonly membership: Membership;
  /** How the session takes part in a group; `undefined`: it takes over. */
  readonly sharing: () => Sharing | undefined;
  readonly listener: SharingListener;
  readonly emit: (event: OffsetSessionEvent) => void;
}

/** How partitions leave a session: they are taken from it, or given up to others. */
export class PartitionLosses {
  readonly #context: PartitionLossesContext;

  constructor(context: PartitionLossesContext) {
    this.#context = context;
  }

  /** The claim of a partition does not hold any more. Gives what whoever writes in a transaction has to hear. */
  fence(held: HeldPartition, { reason, owner }: FencedOutcome, cause?: unknown): Error {
    const { topic, options, claims, sharing, emit } = this.#context;
    const { key } = held;
    const error = new OffsetFencedError({ key, reason, owner, cause });
    // Lost, or lost and claimed again, meanwhile.
    if (claims.get(key.partition) !== held) return error;
    this.drop(held);
    if (sharing() !== undefined) {
      emit({ type: "revoked", topic, partitions: [key.partition], reason, owner });
      void this.#lost(held, error);
      return lostWithin(error);
    }
    if (options.onFenced === "stop" || claims.held.size === 0) this.#end(error);
    emit({ type: "fenced", key, reason, owner });
    return error;
  }

  /** Lets others have partitions: what is in hand is waited for, then they are flushed and released in one write. */
  async giveUp(partitions: readonly HeldPartition[], signal: AbortSignal): Promise<void> {
    const { topic, options, claims, flusher, emit } = this.#context;
    const numbers = partitions.map(({ key }) => key.partition);
    const quiet = this.#revoked(numbers, "rebalanced");
    await withinDeadline(options.revokeTimeout, signal, () => quiet).catch(() => undefined);
    // Whoever closes releases all of them.
    if (signal.aborted) return;
    await transactionsOver(partitions);
    const held = partitions.filter((partition) => claims.get(partition.key.partition) === partition);
    if (held.length > 0) await flusher.release(held);
    emit({ type: "revoked", topic, partitions: numbers, reason: "rebalanced", owner: undefined });
  }

  /** A newer session of the same `instance` has begun: this one is over, whatever it holds. */
  replaced({ consumer, topic, owner }: MemberRecord): void {
    const { claims, flusher, emit } = this.#context;
    if (flusher.fenced !== undefined) return;
    const key = { consumer, topic, partition: claims.numbers[0] ?? 0 };
    const reason = "superseded";
    this.#end(new OffsetFencedError({ key, reason, owner }));
    emit({ type: "fenced", key, reason, owner });
  }

  /** A partition is not held any more. */
  drop(held: HeldPartition): void {
    const { claims, flusher } = this.#context;
    if (claims.drop(held)) flusher.forget(held);
  }

  /** One partition of a group was lost: it is claimed again, where it is free. */
  async #lost({ key }: HeldPartition, error: OffsetFencedError): Promise<void> {
    const { membership, sharing } = this.#context;
    const { reason } = error;
    await this.#revoked([key.partition], reason);
    if (reason === "superseded" && (await membership.isReplaced().catch(() => false))) return;
    // Who deletes a consumer deletes its members: others must not take this one for gone.
    if (reason === "absent") await membership.renew();
    sharing()?.wake();
  }

  /** Nothing is written any more, and no heartbeat is sent. */
  #end(error: OffsetFencedError): void {
    const { flusher, membership, sharing } = this.#context;
    flusher.fence(error);
    void sharing()?.stop();
    void membership.stop();
  }

  /** Tells the listener. What it throws surfaces as what an event listener throws does. */
  async #revoked(partitions: readonly number[], reason: RevokedReason): Promise<void> {
    try {
      await this.#context.listener.onRevoked(partitions, reason);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
