import { OffsetFencedError } from "../errors/offset-fenced-error.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import { formatKey } from "../key.ts";
import type { MemberRecord } from "../member.ts";
import type { FencedOutcome } from "../offset-store.ts";
import type { Claims } from "./claims.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { Membership } from "./membership.ts";
import { lostWithin } from "./own-transaction.ts";
import type { PositionFlusher } from "./position-flusher.ts";
import type { SessionContext } from "./session-context.ts";
import type { Sharing } from "./sharing.ts";
import { type SharingListener, tellRevoked } from "./sharing-listener.ts";

/** The parts of a session that a loss concerns. */
export interface SessionParts {
  readonly claims: Claims;
  readonly flusher: PositionFlusher;
  readonly membership: Membership;
  /** How the session takes part in a group; `undefined`: it takes over. */
  readonly sharing: Sharing | undefined;
  readonly listener: SharingListener;
}

/** How a session loses partitions, or all that it has: another session has claimed, or an operator has written. */
export class PartitionLosses {
  readonly #context: SessionContext;
  readonly #parts: SessionParts;

  constructor(context: SessionContext, parts: SessionParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * What the caller of a transaction has to get in place of an error: the loss of the partition, where the store refused its
   * position for that; `undefined` for all other errors. A body may have written other positions, and throw what it likes.
   */
  lossOf(held: HeldPartition, error: unknown): Error | undefined {
    if (!(error instanceof OffsetStoreError) || error.refusal?.status !== "fenced") return undefined;
    if (!error.keys.some((key) => formatKey(key) === formatKey(held.key))) return undefined;
    const { flusher, sharing } = this.#parts;
    const continues = sharing !== undefined && flusher.fenced === undefined;
    const fenced = this.fence(held, error.refusal, error);
    return continues ? lostWithin(held.key, error) : fenced;
  }

  /** The claim of a partition does not hold any more. */
  fence(held: HeldPartition, { reason, owner }: FencedOutcome, cause?: OffsetStoreError): OffsetFencedError {
    const { topic, options, emit } = this.#context;
    const { claims, flusher, sharing } = this.#parts;
    const { key } = held;
    const error = new OffsetFencedError({ key, reason, owner, cause });
    // It may have been lost in another way while a transaction was open, or with all others.
    if (held.isOver || (sharing !== undefined && flusher.fenced !== undefined)) return error;
    flusher.drop(held);
    if (sharing !== undefined) {
      emit({ type: "revoked", topic, partitions: [key.partition], reason, owner });
      void this.#lost(held, error, sharing);
      return error;
    }
    if (options.onFenced === "stop" || claims.held.size === 0) this.#end(error);
    emit({ type: "fenced", key, reason, owner });
    return error;
  }

  /** A newer session of the same `instance` has begun: this one is over, with all that it holds. */
  replaced({ consumer, topic, owner }: MemberRecord): void {
    const { claims, flusher } = this.#parts;
    if (flusher.fenced !== undefined) return;
    const key = { consumer, topic, partition: claims.numbers[0] ?? 0 };
    const reason = "superseded";
    this.#end(new OffsetFencedError({ key, reason, owner }));
    this.#context.emit({ type: "fenced", key, reason, owner });
  }

  /** One partition of a group was lost: it is claimed again, where it is free. */
  async #lost({ key }: HeldPartition, { reason }: OffsetFencedError, sharing: Sharing): Promise<void> {
    const { membership, listener } = this.#parts;
    await tellRevoked(listener, [key.partition], reason);
    if (reason === "superseded" && (await membership.isReplaced().catch(() => false))) return;
    // Who deletes a consumer deletes its members: others must not take this one for gone.
    if (reason === "absent") await membership.renew();
    sharing.wake();
  }

  /** Nothing is written any more, and no heartbeat is sent. */
  #end(error: OffsetFencedError): void {
    const { flusher, membership, sharing } = this.#parts;
    flusher.fence(error);
    void sharing?.stop();
    void membership.stop();
  }
}
