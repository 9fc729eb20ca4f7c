/** What one session did with one partition, as far as a journal tells. */
export class PartitionTrace {
  /** What its claim found; `null` for nothing. */
  readonly found: number | null;
  /** The offset that has to be delivered next; unknown until the start of a consumer without a position was written. */
  expected: number | undefined;
  /** All before it were worked on, or are gone from the log. */
  frontier: number | undefined;
  /** The position after the last of them that was worked on: a reset alone commits nothing. */
  committable: number | undefined;
  /** The highest position that the session was told to be stored. */
  acknowledged: number | undefined;
  /** The highest position that it sent inside of a transaction. */
  sentInside: number | undefined;
  fencedAt: number | undefined;
  readonly #delivered: number[] = [];
  readonly #doneAt = new Map<number, number>();

  constructor(found: number | null) {
    this.found = found;
    this.expected = found ?? undefined;
    this.frontier = found ?? undefined;
  }

  /** A consumer without a position begins here. */
  begin(nextOffset: number): void {
    this.expected = nextOffset;
    this.frontier = nextOffset;
  }

  deliver(offset: number): void {
    this.expected = offset + 1;
    this.#delivered.push(offset);
  }

  done(offset: number, at: number): void {
    this.#doneAt.set(offset, at);
    this.#advance();
  }

  /** The log has lost what is before `to`: it need not be worked on. */
  skip(to: number): void {
    for (let offset = this.expected ?? to; offset < to; offset += 1) this.#doneAt.set(offset, Number.POSITIVE_INFINITY);
    this.expected = to;
    this.#advance();
  }

  acknowledge(nextOffset: number): void {
    this.acknowledged = Math.max(this.acknowledged ?? nextOffset, nextOffset);
  }

  /** How many were delivered that are not known to be stored. */
  get unacknowledged(): number {
    const from = this.acknowledged ?? this.found ?? 0;
    let count = 0;
    for (let index = this.#delivered.length - 1; index >= 0 && (this.#delivered[index] ?? 0) >= from; index -= 1) {
      count += 1;
    }
    return count;
  }

  /** When the oldest record was done that could be stored and is not known to be; `undefined`: there is none. */
  get waitingSince(): number | undefined {
    const { frontier } = this;
    const from = this.acknowledged ?? this.found;
    if (frontier === undefined || from === null || from === undefined || from >= frontier) return undefined;
    let since: number | undefined;
    for (let offset = from; offset < frontier; offset += 1) {
      const at = this.#doneAt.get(offset);
      if (at !== undefined && Number.isFinite(at) && (since === undefined || at < since)) since = at;
    }
    return since;
  }

  #advance(): void {
    for (;;) {
      const at = this.frontier === undefined ? undefined : this.#doneAt.get(this.frontier);
      if (this.frontier === undefined || at === undefined) return;
      this.frontier += 1;
      if (Number.isFinite(at)) this.committable = this.frontier;
    }
  }
}

/** A commit that was sent. */
export interface SentCommit {
  readonly positions: readonly (readonly [partition: number, nextOffset: number | null])[];
  /** Whether it is part of a transaction: then its answer says nothing yet. */
  readonly inside: boolean;
  /** What was known to be stored when it was sent, by partition. */
  readonly storedBefore: readonly (number | undefined)[];
  isAnswered: boolean;
}

/** What one session did. */
export interface SessionTrace {
  readonly who: string;
  /** The journal's line at which it asked for its claim, and the one at which it had it. */
  readonly claimingAt: number;
  claimedAt: number | undefined;
  /** What was known to be stored when it asked. */
  readonly storedBefore: readonly (number | undefined)[];
  /** The line at which its process was killed, if it was. */
  killedAt: number | undefined;
  /** Whether something was wrong with the server, or it was frozen, at any time. */
  disturbed: boolean;
  readonly partitions: Map<number, PartitionTrace>;
  readonly commits: Map<number, SentCommit>;
  deliveredAfterFence: number;
  /** When it wrote its last line: until then its process had its turns. */
  seenAt: number;
}
