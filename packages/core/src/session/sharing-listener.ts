import type { RevokedReason } from "./offset-session.ts";

/** Whom a session asks before it continues with partitions that came or go. */
export interface SharingListener {
  /** Partitions are held from now on. */
  readonly onAssigned: (partitions: readonly number[]) => Promise<void> | void;
  /** Whether a record of a partition is in hand. */
  readonly isInHand: (partition: number) => boolean;
  /** Partitions go to others, once what is in hand is done: what this resolves for. With another reason they are lost already. */
  readonly onRevoked: (partitions: readonly number[], reason: RevokedReason) => Promise<void> | void;
}

/** Calls a listener with what goes, and waits for it. What it throws is an uncaught exception, as of an event listener. */
export async function tellRevoked(
  listener: SharingListener,
  partitions: readonly number[],
  reason: RevokedReason,
): Promise<void> {
  try {
    await listener.onRevoked(partitions, reason);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
