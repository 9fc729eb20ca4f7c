import { type KnownPositions, type RoundState, SessionCheck, type Told } from "./check-session.ts";
import type { JournalEntry } from "./journal.ts";
import type { RoundPlan } from "./round-plan.ts";
import { LogCoverage } from "./log-coverage.ts";
import { PartitionTrace, type SessionTrace } from "./session-trace.ts";

/** What a journal shows. */
export interface RoundFindings {
  /** What must not be, one line each. */
  readonly violations: readonly string[];
  /** For each claim after records had been delivered: how many of them come again, and how many could have. */
  readonly takeovers: readonly { readonly repeats: number; readonly bound: number }[];
  readonly deliveries: number;
  readonly fenced: number;
  /** Commits without an answer when their process died. */
  readonly commitsCutShort: number;
  /** Transactions that were open when their process died. */
  readonly transactionsCutShort: number;
  /** Records that the log had lost before anybody read them: as many as the events said. */
  readonly lost: number;
}

// A flush is late by what the machine takes: the write itself, and whatever runs beside it.
const LATE_FLUSH_MS = 2_000;

/** Holds a journal against what Tidemark promises. */
export function checkRound(plan: RoundPlan, journal: readonly JournalEntry[]): RoundFindings {
  const check = new RoundCheck(plan);
  for (const [line, entry] of journal.entries()) check.read(entry, line);
  return check.finish();
}

class RoundCheck {
  readonly #plan: RoundPlan;
  readonly #violations: string[] = [];
  readonly #takeovers: { repeats: number; bound: number }[] = [];
  readonly #sessions = new Map<string, SessionTrace>();
  readonly #state: RoundState;
  readonly #observed: KnownPositions;
  #storedBeforeObserving: Readonly<KnownPositions> = [];
  #faulty = false;
  #fenced = 0;
  #commitsCutShort = 0;
  #transactionsCutShort = 0;

  constructor(plan: RoundPlan) {
    this.#plan = plan;
    const unknown = (): KnownPositions => Array.from({ length: plan.partitions }, () => undefined);
    this.#state = { log: new LogCoverage(plan.partitions, plan.records), stored: unknown(), sent: unknown() };
    this.#observed = unknown();
  }

  read(entry: JournalEntry, line: number): void {
    const about = (message: string): void => {
      this.#violations.push(`line ${line + 1}: session ${entry.who} ${message}`);
    };
    const session = this.#sessions.get(entry.who);
    switch (entry.what) {
      case "claiming":
        return this.#claiming(entry, line);
      case "fault":
        this.#faulty = true;
        for (const each of this.#sessions.values()) each.disturbed = true;
        return undefined;
      case "healed":
        this.#faulty = false;
        return undefined;
      case "frozen":
        for (const each of this.#sessionsOf(entry.worker)) each.disturbed = true;
        return undefined;
      case "killed":
        return this.#killed(entry, line);
      case "retained":
        return this.#state.log.moveStart(entry.partition, entry.before);
      case "observing":
        this.#storedBeforeObserving = [...this.#state.stored];
        return undefined;
      case "observed":
        return this.#observedFromOutside(entry, about);
      case "gave-up":
        return about(`gave up: ${entry.why}`);
      case "failed":
        return about(`failed: ${entry.error}`);
      case "broken":
        return undefined;
      default:
        if (session === undefined) about(`told of "${entry.what}" before it asked for a claim`);
        else if (entry.what === "claimed") this.#claimed(session, entry, line, about);
        else if (entry.what === "fenced") this.#isFenced(session, entry, line, about);
        else new SessionCheck(this.#state, session, this.#lifeOf(session), about).read(entry);
    }
  }

  finish(): RoundFindings {
    this.#checkFencing();
    const { log } = this.#state;
    const { lost, violations } = log.findLost();
    this.#violations.push(...violations);
    for (const [partition, position] of this.#observed.entries()) {
      // A reset to the end of an empty log commits nothing, and there is no record to commit.
      if (position === this.#plan.records || log.isEmpty(partition)) continue;
      this.#violations.push(`partition ${partition} ended at position ${position}, not ${this.#plan.records}`);
    }
    return {
      violations: this.#violations,
      takeovers: this.#takeovers,
      deliveries: log.deliveries,
      fenced: this.#fenced,
      commitsCutShort: this.#commitsCutShort,
      transactionsCutShort: this.#transactionsCutShort,
      lost,
    };
  }

  #claiming({ who, at }: JournalEntry, line: number): void {
    this.#sessions.set(who, {
      who,
      claimingAt: line,
      claimedAt: undefined,
      storedBefore: [...this.#state.stored],
      killedAt: undefined,
      disturbed: this.#faulty,
      partitions: new Map(),
      commits: new Map(),
      deliveredAfterFence: 0,
      seenAt: at,
    });
  }

  #claimed(session: SessionTrace, entry: Told<"claimed">, line: number, about: (message: string) => void): void {
    const { log, sent: sentBefore } = this.#state;
    session.claimedAt = line;
    let repeats = 0;
    let bound = 0;
    let delivered = 0;
    for (const [partition, found] of entry.positions) {
      session.partitions.set(partition, new PartitionTrace(found));
      const stored = session.storedBefore[partition];
      const sent = sentBefore[partition];
      if (stored !== undefined && (found === null || found < stored)) {
        about(`found partition ${partition} at ${found}, which was acknowledged at ${stored}: it went back`);
      }
      if (found !== null && (sent === undefined || found > sent)) {
        about(`found partition ${partition} at ${found}, which nobody had sent`);
      }
      delivered += log.deliveredFrom(partition, 0);
      repeats += log.deliveredFrom(partition, found ?? 0);
      bound += log.deliveredFrom(partition, stored ?? 0);
    }
    if (delivered > 0) this.#takeovers.push({ repeats, bound });
  }

  #isFenced(session: SessionTrace, entry: Told<"fenced">, line: number, about: (message: string) => void): void {
    this.#fenced += 1;
    const trace = session.partitions.get(entry.partition);
    if (trace !== undefined) trace.fencedAt = line;
    // A successor may have let go of it again by then.
    if (entry.reason !== "superseded" && entry.reason !== "released") about(`was fenced: ${entry.reason}`);
    // A claim replaces what it has read: what was on its way before this session's came to nothing.
    const bySomebody = [...this.#sessions.values()].some(
      (other) => other !== session && !((other.claimedAt ?? other.killedAt ?? line) < session.claimingAt),
    );
    if (!bySomebody) about(`was fenced by nobody (it was told: by ${entry.owner})`);
  }

  #killed({ worker }: Told<"killed">, line: number): void {
    for (const session of this.#sessionsOf(worker)) {
      session.killedAt = line;
      const life = this.#lifeOf(session);
      const partitions = [...session.partitions.values()];
      const isFenced = partitions.some(({ fencedAt }) => fencedAt !== undefined);
      const cutShort = [...session.commits.values()].filter(({ isAnswered }) => !isAnswered).length;
      this.#commitsCutShort += cutShort;
      const inHand = partitions.some(({ unacknowledged }) => unacknowledged > 0);
      if (life?.strategy === "transaction" && inHand && !isFenced) this.#transactionsCutShort += 1;
      // A flush under way has the store's time-out.
      if (life === undefined || session.disturbed || isFenced || cutShort > 0) continue;
      for (const [partition, { waitingSince = session.seenAt }] of session.partitions) {
        const late = session.seenAt - waitingSince - life.flushInterval;
        if (late <= LATE_FLUSH_MS) continue;
        this.#violations.push(
          `line ${line + 1}: session ${session.who} had not stored what was done in partition ${partition} ` +
            `${Math.round(late)} ms after its flush was due`,
        );
      }
    }
  }

  #observedFromOutside({ positions, sink }: Told<"observed">, about: (message: string) => void): void {
    for (const [partition, position] of positions) {
      const stored = Math.max(this.#storedBeforeObserving[partition] ?? -1, this.#observed[partition] ?? -1);
      if ((position ?? -1) < stored) about(`saw partition ${partition} at ${position} after ${stored}: it went back`);
      this.#observed[partition] = position ?? undefined;
      const written = sink?.[partition];
      if (written === undefined) continue;
      const isExact = written.length === (position ?? 0) && written.every((offset, index) => offset === index);
      if (!isExact) {
        const first = written.findIndex((offset, index) => offset !== index);
        about(
          `saw partition ${partition} at ${position} and ${written.length} records written in its transactions` +
            (first < 0 ? "" : `, with ${written[first]} in the place of ${first}`),
        );
      }
    }
  }

  /** Nothing of a session is stored after the claim of a later one was answered. */
  #checkFencing(): void {
    for (const older of this.#sessions.values()) {
      if (older.claimedAt === undefined) continue;
      for (const newer of this.#sessions.values()) {
        if (newer.claimedAt === undefined || newer.claimingAt < older.claimedAt) continue;
        for (const [partition, { acknowledged }] of older.partitions) {
          const found = newer.partitions.get(partition)?.found ?? -1;
          if (acknowledged === undefined || acknowledged <= found) continue;
          this.#violations.push(
            `session ${older.who} stored ${acknowledged} in partition ${partition} although session ${newer.who} ` +
              `had claimed it at ${found}`,
          );
        }
      }
    }
  }

  #sessionsOf(worker: number): SessionTrace[] {
    return [...this.#sessions.values()].filter(({ who }) => Number.parseInt(who, 10) === worker);
  }

  #lifeOf({ who }: SessionTrace): RoundPlan["lives"][number] | undefined {
    return this.#plan.lives[Number.parseInt(who, 10)];
  }
}
