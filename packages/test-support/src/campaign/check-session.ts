import type { Happening, JournalEntry } from "./journal.ts";
import type { LogCoverage } from "./log-coverage.ts";
import type { LifePlan } from "./round-plan.ts";
import type { PartitionTrace, SessionTrace } from "./session-trace.ts";

/** A line of one kind. */
export type Told<What extends Happening["what"]> = JournalEntry & Extract<Happening, { what: What }>;

/** A position by partition, where there is one. */
export type KnownPositions = (number | undefined)[];

/** What is known of a round so far. */
export interface RoundState {
  readonly log: LogCoverage;
  /** The highest position of each partition that anybody was told to be stored. */
  readonly stored: KnownPositions;
  /** The highest one that anybody has sent. */
  readonly sent: KnownPositions;
}

// What a commit may be told in an outage.
const OUTAGE_CODES = new Set(["TIMEOUT", "UNAVAILABLE", "CONFLICT"]);

/** Holds what one session did against what it may do. */
export class SessionCheck {
  readonly #round: RoundState;
  readonly #session: SessionTrace;
  readonly #life: LifePlan | undefined;
  readonly #about: (message: string) => void;

  /** @param about - hears of each violation. */
  constructor(round: RoundState, session: SessionTrace, life: LifePlan | undefined, about: (message: string) => void) {
    this.#round = round;
    this.#session = session;
    this.#life = life;
    this.#about = about;
  }

  read(entry: JournalEntry): void {
    this.#session.seenAt = entry.at;
    switch (entry.what) {
      case "delivered":
        return this.#delivered(entry);
      case "done":
        return this.#session.partitions.get(entry.partition)?.done(entry.offset, entry.at);
      case "committing":
        return this.#committing(entry);
      case "answered":
        return this.#answered(entry);
      case "transacted":
        return this.#isStored(entry.partition, entry.offset + 1, this.#session.storedBefore);
      case "reset":
        return this.#reset(entry);
      case "left":
        return this.#left();
      default:
        return undefined;
    }
  }

  #delivered({ partition, offset }: Told<"delivered">): void {
    const session = this.#session;
    const trace = session.partitions.get(partition);
    if (trace === undefined) return this.#about(`was given partition ${partition}, which it had not claimed`);
    if (offset !== trace.expected) {
      this.#about(`was given record ${offset} of partition ${partition} where ${trace.expected} was next`);
    }
    // One may be on its way to the loop when the fence is heard of.
    if (trace.fencedAt !== undefined) session.deliveredAfterFence += 1;
    if (session.deliveredAfterFence > 1) this.#about(`went on reading after it was fenced`);
    if (this.#life?.flushInterval === 0) {
      const waiting = [...session.partitions.values()].reduce((sum, each) => sum + each.unacknowledged, 0);
      if (waiting >= this.#life.window) {
        this.#about(`was given a record while ${waiting} before it were not stored, although it flushes each`);
      }
    }
    trace.deliver(offset);
    this.#round.log.deliver(partition, offset);
  }

  #committing({ call, positions, inside }: Told<"committing">): void {
    const { stored, sent } = this.#round;
    this.#session.commits.set(call, { positions, inside, storedBefore: [...stored], isAnswered: false });
    for (const [partition, nextOffset] of positions) {
      const trace = this.#session.partitions.get(partition);
      if (nextOffset === null || trace === undefined) continue;
      if (trace.fencedAt !== undefined) this.#about(`wrote to partition ${partition} after it was fenced`);
      if (trace.frontier === undefined) this.#begin(trace, partition, nextOffset);
      const done = trace.frontier ?? 0;
      // In a transaction the record in hand is written with its position.
      const allowed = inside && trace.expected === done + 1 ? done + 1 : done;
      if (nextOffset > allowed) {
        this.#about(`sent position ${nextOffset} of partition ${partition} with only those before ${done} worked on`);
      }
      if (inside) trace.sentInside = nextOffset;
      sent[partition] = Math.max(sent[partition] ?? 0, nextOffset);
    }
  }

  /** The first position of a consumer that had none. */
  #begin(trace: PartitionTrace, partition: number, nextOffset: number): void {
    const { log } = this.#round;
    if (!log.wasStart(partition, nextOffset)) {
      this.#about(`began partition ${partition} at ${nextOffset}, where the log does not begin`);
    }
    trace.begin(nextOffset);
    log.reportLost(partition, 0, nextOffset);
  }

  #answered({ call, statuses }: Told<"answered">): void {
    const commit = this.#session.commits.get(call);
    if (commit === undefined) return;
    commit.isAnswered = true;
    // What comes of a transaction is told when it ends.
    if (commit.inside) return;
    for (const [index, [partition, nextOffset]] of commit.positions.entries()) {
      const status = statuses[index] ?? "nothing";
      this.#session.disturbed ||= OUTAGE_CODES.has(status);
      if (status === "superseded" || status === "released" || OUTAGE_CODES.has(status)) continue;
      if (status === "committed") {
        if (nextOffset !== null) this.#isStored(partition, nextOffset, commit.storedBefore);
        continue;
      }
      // Its own next transaction may be faster than the flush after the last one.
      const sentInside = this.#session.partitions.get(partition)?.sentInside ?? 0;
      if (status === "behind" && sentInside > (nextOffset ?? 0)) continue;
      this.#about(`sent position ${nextOffset} of partition ${partition} and was told "${status}"`);
    }
  }

  #isStored(partition: number, nextOffset: number, storedBefore: readonly (number | undefined)[]): void {
    const { stored } = this.#round;
    const before = storedBefore[partition];
    if (before !== undefined && nextOffset < before) {
      this.#about(`stored position ${nextOffset} of partition ${partition} over ${before}: it went back`);
    }
    this.#session.partitions.get(partition)?.acknowledge(nextOffset);
    stored[partition] = Math.max(stored[partition] ?? 0, nextOffset);
  }

  #reset({ partition, from, to, skipped }: Told<"reset">): void {
    const { log } = this.#round;
    const trace = this.#session.partitions.get(partition);
    if (trace === undefined) return;
    if (from !== trace.expected) this.#about(`was reset from ${from} of partition ${partition}, not ${trace.expected}`);
    if (!log.wasStart(partition, to)) this.#about(`was reset to ${to}, where the log does not begin`);
    if (skipped !== to - from) this.#about(`was told that ${skipped} records are lost between ${from} and ${to}`);
    log.reportLost(partition, from, to);
    trace.skip(to);
  }

  #left(): void {
    for (const [partition, { committable = 0, found, acknowledged }] of this.#session.partitions) {
      if (committable <= (acknowledged ?? found ?? 0)) continue;
      this.#about(`closed with partition ${partition} done up to ${committable} and ${acknowledged} stored`);
    }
  }
}
