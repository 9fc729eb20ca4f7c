/** The part of a lease that lies between the two looks that find a holder silent (contract 8.2). */
const BETWEEN = 1 / 3;
const MAX_LOOKS = 100_000;

/** What a look found. */
export interface Seen {
  /** Names the last write: a heartbeat changes it. */
  readonly version: string;
  /** Milliseconds since that write, by the store's clock. */
  readonly ageMs: number;
  /** Milliseconds after which its writer counts as silent: the writer's own, as it wrote them. */
  readonly leaseMs: number;
}

/**
 * Who has been found silent. It takes two looks, a third of a lease apart, that find the same write older than the lease, and
 * no failure of the store between them: a store that was unreachable makes no member look dead. The first look at a member finds it alive.
 */
export class Looks {
  // Since when each has been found so, by the monotonic clock.
  readonly #silentSince = new Map<string, { readonly version: string; readonly at: number }>();

  /** Looks at one holder, by any name that is its own. */
  isSilent(name: string, { version, ageMs, leaseMs }: Seen): boolean {
    if (ageMs <= leaseMs) {
      this.#silentSince.delete(name);
      return false;
    }
    const first = this.#silentSince.get(name);
    const now = performance.now();
    if (first?.version === version) return now - first.at >= leaseMs * BETWEEN;
    if (this.#silentSince.size >= MAX_LOOKS) this.#silentSince.clear();
    this.#silentSince.set(name, { version, at: now });
    return false;
  }

  /** A call to the store has failed: what was found before it counts no more. */
  forget(): void {
    this.#silentSince.clear();
  }
}
