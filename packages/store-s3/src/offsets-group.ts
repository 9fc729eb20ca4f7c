import { randomBytes } from "node:crypto";
import { backoffMs, delay } from "@tidemark/core/driver";
import { GroupDraft } from "./group-draft.ts";
import { type GroupSnapshot, readSnapshot } from "./group-snapshot.ts";
import { CLOCK_STEP_MS, REMEMBERED_WRITES, serialiseDocument, settleEntries } from "./offsets-document.ts";
import { isClockSkew, isConflict, isTransient } from "./s3-errors.ts";
import type { S3Objects } from "./s3-objects.ts";

/** What a call does to a group: on a draft, as often as it takes until one is stored. */
export interface GroupStep<Outcome> {
  /** The step must see the group as it is, and not as this store left it. */
  readonly needsFresh?: boolean;
  /** Gives what the step came to, once it is known when the draft was stored (in milliseconds). */
  apply(draft: GroupDraft): (writtenAt: number) => Outcome;
}

interface WaitingStep {
  readonly step: GroupStep<unknown>;
  readonly resolve: (outcome: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal;
  isSettled: boolean;
}

/** One write that was sent, whether or not it arrived. */
interface Attempt {
  readonly id: string;
  readonly deadline: number;
  readonly settle: (writtenAt: number) => void;
}

/** A snapshot, and when it was taken by this machine's clocks: they say only when it is time to look again. */
interface KnownSnapshot {
  readonly snapshot: GroupSnapshot;
  readonly monotonicMs: number;
  readonly wallMs: number;
}

const RETRY_BASE_MS = 4;
/** Of a lost race: any part of it. Growing pauses would leave the key to whoever has just won. */
const CONTENTION_MAX_MS = 30;
/** How many of its own writes' durations a store leaves to others, at most, where others write too. */
const COURTESY = 3;
const COURTESY_MAX_MS = 100;
const FAILURE_MAX_MS = 500;
/** So near to its deadline a write is looked at again: the clocks of a server's machines may differ by that. */
const DEADLINE_MARGIN_MS = 2 * CLOCK_STEP_MS;
/** How often in a row a server may fail without anything having changed. */
const MAX_FAILURES = 4;

/**
 * The positions of one consumer on one topic, as one store instance sees them.
 *
 * Calls wait for each other, and those that wait are stored together, so that calls of one process never race in S3. A
 * write goes on from what the store last knew and is conditional on it: if it succeeds, that was still so, and the steady
 * flush of a sole writer is one PUT. Where nothing is to be written, only a fresh read is an answer.
 */
export class OffsetsGroup {
  readonly key: string;
  readonly #objects: S3Objects;
  #known: KnownSnapshot | undefined;
  #waiting: WaitingStep[] = [];
  #isRunning = false;
  #lastWriteMs = 0;
  #ownWrites: readonly string[] = [];

  constructor(objects: S3Objects, key: string) {
    this.#objects = objects;
    this.key = key;
  }

  /** Whether nothing is waiting or under way. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Reads the group as it is. */
  async read(signal: AbortSignal): Promise<GroupSnapshot> {
    const before = this.#known;
    const wasIdle = this.isIdle;
    const snapshot = await this.#read(signal);
    // It may be older than what a write has found meanwhile.
    if (wasIdle && this.isIdle && this.#known === before) this.#remember(snapshot);
    return snapshot;
  }

  /** Takes a step and stores it. */
  run<Outcome>(step: GroupStep<Outcome>, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.#waiting.push({
      step,
      resolve: resolve as (outcome: unknown) => void,
      reject,
      signal,
      isSettled: false,
    });
    if (!this.#isRunning) {
      this.#isRunning = true;
      // Whoever asks in the same moment is stored with the first.
      queueMicrotask(() => void this.#runWaiting());
    }
    return promise;
  }

  async #runWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      const controller = new AbortController();
      const leave = round.map((waiting) => {
        const onAbort = (): void => {
          settle(waiting, () => waiting.reject(waiting.signal.reason));
          if (round.every(({ isSettled }) => isSettled)) controller.abort(waiting.signal.reason);
        };
        waiting.signal.addEventListener("abort", onAbort, { once: true });
        if (waiting.signal.aborted) onAbort();
        return () => waiting.signal.removeEventListener("abort", onAbort);
      });
      try {
        await this.#store(round, controller.signal);
      } catch (error) {
        for (const waiting of round) settle(waiting, () => waiting.reject(error));
      }
      for (const remove of leave) remove();
    }
    this.#isRunning = false;
  }

  /** Carries out the steps of one round; returns when each has its outcome. */
  async #store(round: readonly WaitingStep[], signal: AbortSignal): Promise<void> {
    const attempts = new Map<string, Attempt>();
    let isFreshNeeded = round.some(({ step }) => step.needsFresh);
    let failures = 0;
    let skews = 0;
    let failedAt: string | undefined;
    for (;;) {
      signal.throwIfAborted();
      const known = isFreshNeeded ? undefined : this.#known;
      const snapshot = known?.snapshot ?? (await this.#readAndRemember(signal));
      const landed = this.#landed(attempts, snapshot);
      if (landed !== undefined) return landed.settle(snapshot.writtenAt);

      const draft = new GroupDraft(snapshot, this.key);
      const open = round.filter(({ isSettled }) => !isSettled);
      const takes = open.map((waiting) => take(waiting, draft));
      const settleAll = (writtenAt: number): void => takes.forEach((settleOne) => settleOne(writtenAt));
      if (known !== undefined && (!draft.changed || draft.deadline <= latestNow(known))) {
        isFreshNeeded = true;
        continue;
      }
      if (!draft.changed) return settleAll(snapshot.now);
      if (known !== undefined) await this.#giveWay(known, signal);

      const attempt: Attempt = {
        id: randomBytes(9).toString("base64url"),
        deadline: draft.deadline,
        settle: settleAll,
      };
      attempts.set(attempt.id, attempt);
      this.#known = undefined;
      isFreshNeeded = true;
      try {
        const stored = await this.#write(draft, snapshot, attempt, signal);
        if (stored) return settleAll(stored.writtenAt);
      } catch (error) {
        signal.throwIfAborted();
        if (isClockSkew(error) && skews === 0) {
          // Refused, and now the SDK knows the server's time.
          skews += 1;
          continue;
        }
        if (!isConflict(error)) {
          if (!isTransient(error)) throw error;
          // Somebody else's write in between means that the server works: some answer a lost race with 500.
          failures = snapshot.etag === failedAt ? failures + 1 : 1;
          failedAt = snapshot.etag;
          if (failures > MAX_FAILURES) throw error;
          await delay(backoffMs(failures, RETRY_BASE_MS, FAILURE_MAX_MS), signal);
          continue;
        }
      }
      await delay(Math.random() * CONTENTION_MAX_MS, signal);
    }
  }

  /** Sends one write. Gives the new state if it is certain that it counts, and nothing if only a read can tell. */
  async #write(
    draft: GroupDraft,
    snapshot: GroupSnapshot,
    { id, deadline }: Attempt,
    signal: AbortSignal,
  ): Promise<GroupSnapshot | undefined> {
    const partitions = draft.stored();
    const writes = [id, ...snapshot.writes].slice(0, REMEMBERED_WRITES);
    const condition = snapshot.etag === undefined ? "absent" : { etag: snapshot.etag };
    const startedAt = performance.now();
    const result = await this.#objects.put(this.key, serialiseDocument({ writes, partitions }), condition, signal);
    this.#lastWriteMs = performance.now() - startedAt;
    this.#ownWrites = [id, ...this.#ownWrites].slice(0, REMEMBERED_WRITES);
    if (result.status === "refused" || result.now === undefined || result.etag === undefined) return undefined;
    // The clock that answers may lag behind the one that stamps objects: time never goes back within a group.
    const now = Math.max(result.now, snapshot.now);
    if (now + DEADLINE_MARGIN_MS >= deadline) return undefined;
    const stored: GroupSnapshot = {
      etag: result.etag,
      writtenAt: now,
      now,
      writes,
      partitions: settleEntries(partitions, now),
      damage: undefined,
    };
    this.#remember(stored);
    return stored;
  }

  /**
   * Whoever wrote last knows what to go on from, and would win every race against those who must read first. Where others
   * write too, it lets a moment pass after its own write; a flush every few seconds is never held up.
   */
  async #giveWay({ snapshot, monotonicMs }: KnownSnapshot, signal: AbortSignal): Promise<void> {
    if (snapshot.writes.every((id) => this.#ownWrites.includes(id))) return;
    const courtesyMs = Math.random() * Math.min(COURTESY * this.#lastWriteMs, COURTESY_MAX_MS);
    const leftMs = courtesyMs - (performance.now() - monotonicMs);
    if (leftMs > 0) await delay(leftMs, signal);
  }

  /** The attempt that a snapshot shows to have been stored, and to count. */
  #landed(attempts: Map<string, Attempt>, snapshot: GroupSnapshot): Attempt | undefined {
    if (attempts.size === 0) return undefined;
    for (const [index, id] of snapshot.writes.entries()) {
      const attempt = attempts.get(id);
      if (attempt === undefined) continue;
      // What others have stored on top of it is later, but for the clocks of a server's machines.
      const storedBy = index === 0 ? snapshot.writtenAt : snapshot.writtenAt + DEADLINE_MARGIN_MS;
      if (storedBy < attempt.deadline) return attempt;
      // Stored too late to count, or nobody can tell: the steps are taken once more from what is there now.
      attempts.delete(id);
    }
    return undefined;
  }

  async #readAndRemember(signal: AbortSignal): Promise<GroupSnapshot> {
    const snapshot = await this.#read(signal);
    this.#remember(snapshot);
    return snapshot;
  }

  /** Reading is safe to repeat: a connection that was cut while idle costs nobody a call. */
  async #read(signal: AbortSignal): Promise<GroupSnapshot> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await readSnapshot(this.#objects, this.key, signal);
      } catch (error) {
        signal.throwIfAborted();
        const mayHelp = isTransient(error) || isConflict(error) || isClockSkew(error);
        if (!mayHelp || attempt > MAX_FAILURES) throw error;
        await delay(backoffMs(attempt, RETRY_BASE_MS, FAILURE_MAX_MS), signal);
      }
    }
  }

  #remember(snapshot: GroupSnapshot): void {
    this.#known = { snapshot, monotonicMs: performance.now(), wallMs: Date.now() };
  }
}

/** Applies one step. One that fails takes no other with it. */
function take(waiting: WaitingStep, draft: GroupDraft): (writtenAt: number) => void {
  try {
    const outcomeAt = waiting.step.apply(draft);
    return (writtenAt) => settle(waiting, () => waiting.resolve(outcomeAt(writtenAt)));
  } catch (error) {
    return () => settle(waiting, () => waiting.reject(error));
  }
}

function settle(waiting: WaitingStep, how: () => void): void {
  if (waiting.isSettled) return;
  waiting.isSettled = true;
  how();
}

/** The latest that it can be by the server's clock. Of this machine's clocks one stops in sleep, and one is set by hand. */
function latestNow({ snapshot, monotonicMs, wallMs }: KnownSnapshot): number {
  return snapshot.now + CLOCK_STEP_MS + Math.max(performance.now() - monotonicMs, Date.now() - wallMs);
}
