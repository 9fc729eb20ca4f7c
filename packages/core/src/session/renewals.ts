import type { Claims } from "./claims.ts";
import type { HeldPartition } from "./held-partition.ts";
import type { SessionContext } from "./session-context.ts";
import { renewIntervalOf } from "./session-options.ts";

// Renewals that are due within this part of their interval go along: few calls, however many partitions there are.
const EARLY = 0.1;

/**
 * Decides which idle claims are renewed, and when. Those without a TTL are only looked at, all in one call: nothing would
 * expire, and nothing else would show an operator's reset or a takeover.
 */
export class Renewals {
  readonly #context: SessionContext;
  readonly #claims: Claims;
  readonly #signal: AbortSignal;
  readonly #onChanged: () => void;
  // Partitions whose record is not what it should be: a renewal has the store say why.
  readonly #suspects = new Set<HeldPartition>();
  #nextAt = Number.POSITIVE_INFINITY;

  /** The signal ends what is being looked at; `onChanged` is called when the time to renew may have changed. */
  constructor(context: SessionContext, claims: Claims, signal: AbortSignal, onChanged: () => void) {
    this.#context = context;
    this.#claims = claims;
    this.#signal = signal;
    this.#onChanged = onChanged;
  }

  /** When something is due next, by the monotonic clock. */
  get nextAt(): number {
    return this.#suspects.size > 0 ? 0 : this.#nextAt;
  }

  /** A partition is held from now on, or was written: it is due an interval later. */
  watch(partition: HeldPartition): void {
    this.#nextAt = Math.min(this.#nextAt, partition.seenAt + this.#intervalOf(partition));
  }

  /** A partition is not held any more. */
  forget(partition: HeldPartition): void {
    this.#suspects.delete(partition);
  }

  /** A renewal may have failed: it is due at once. */
  failed(): void {
    this.#nextAt = 0;
  }

  /** The idle partitions to be renewed now; those that are only looked at are looked at. */
  take(): HeldPartition[] {
    const due = [...this.#suspects];
    this.#suspects.clear();
    const now = performance.now();
    if (now < this.#nextAt) return due;
    const idle: HeldPartition[] = [];
    this.#nextAt = Number.POSITIVE_INFINITY;
    for (const partition of this.#claims.held.values()) {
      const interval = this.#intervalOf(partition);
      // What is dirty is written soon, and that renews it.
      const isDue = !partition.isDirty && partition.seenAt + interval * (1 - EARLY) <= now;
      if (isDue) (partition.ttl === undefined ? idle : due).push(partition);
      this.#nextAt = Math.min(this.#nextAt, partition.isDirty || isDue ? now + interval : partition.seenAt + interval);
    }
    if (idle.length > 0) this.#look(idle, now);
    return due;
  }

  #look(partitions: readonly HeldPartition[], seenAt: number): void {
    const signal = this.#signal;
    for (const partition of partitions) partition.seenAt = seenAt;
    const keys = partitions.map(({ key }) => key);
    this.#context.store.fetch(keys, { signal }).then(
      (outcomes) => {
        for (const [index, outcome] of outcomes.entries()) {
          const partition = partitions[index];
          if (partition === undefined || outcome.status === "failed" || signal.aborted || partition.isOver) continue;
          if (outcome.status === "found" && outcome.record.epoch === partition.epoch)
            partition.ttl = outcome.record.ttl;
          else this.#suspects.add(partition);
          this.watch(partition);
        }
        this.#onChanged();
      },
      // It is asked again at the next turn; a store that is down shows at the writes.
      () => undefined,
    );
  }

  #intervalOf({ ttl }: HeldPartition): number {
    return renewIntervalOf(ttl, this.#context.options.renewInterval);
  }
}
