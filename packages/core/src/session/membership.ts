import { randomInt } from "node:crypto";
import { RECLAIMED_AFTER_LEASES } from "../driver/member-calls.ts";
import { thisProcess } from "../driver/process-identity.ts";
import { Sent } from "../driver/sent.ts";
import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { MemberRecord, SharingMode } from "../member.ts";
import type { Claims } from "./claims.ts";
import type { PositionFlusher } from "./position-flusher.ts";
import type { SessionContext } from "./session-context.ts";
import { isFinal, unknownError } from "./session-listener.ts";
import { renewIntervalOf } from "./session-options.ts";

/** A heartbeat is sent so often in a lease; one without an answer is sent again after half of that. */
const HEARTBEATS_PER_LEASE = 3;
const MAX_LEASE_MS = 600_000;

/**
 * Shows the others that a session lives, from its first heartbeat to its end, and knows whether they may doubt it (contract
 * 8.5a, 8.5b). Its timers keep no process alive.
 */
export class Membership {
  readonly #context: SessionContext;
  readonly #claims: Claims;
  readonly #flusher: PositionFlusher;
  readonly #onReplaced: (newer: MemberRecord) => void;
  readonly #ended = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  // Which of the sessions of its `instance` it is.
  #generation: number | undefined;
  #mode: SharingMode;
  #leaseMs: number;
  // The lease that the others know of: the one in the last acknowledged heartbeat.
  #acknowledgedLeaseMs: number;
  // When the last heartbeat was sent, by the monotonic clock.
  #sentAt = 0;
  // When the last acknowledged one was sent.
  #acknowledged: Sent | undefined;
  #isDoubtful = false;
  #isChecking = false;
  // The longest time without an acknowledged heartbeat since it was sure.
  #gapMs = 0;
  // When it was sure again after the others' records could have expired, by the monotonic clock.
  #sureAgainAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #sure: PromiseWithResolvers<void> | undefined;
  #refusal: OffsetStoreError | undefined;

  /** `onReplaced` is called when a newer session has the same `instance`: this one is over. */
  constructor(
    context: SessionContext,
    claims: Claims,
    flusher: PositionFlusher,
    onReplaced: (newer: MemberRecord) => void,
  ) {
    const { sharing, leaseMs } = context.options;
    this.#context = context;
    this.#claims = claims;
    this.#flusher = flusher;
    this.#onReplaced = onReplaced;
    this.#mode = sharing;
    this.#leaseMs = leaseMs;
    this.#acknowledgedLeaseMs = leaseMs;
  }

  /** Whether its name is one that former sessions had, too. */
  get isInstance(): boolean {
    return this.#context.options.instance !== undefined;
  }

  /** Milliseconds without a heartbeat after which others take what this member holds. */
  get leaseMs(): number {
    return this.#leaseMs;
  }

  /** Whether no other member can have found this one silent; always so with `takeover`, where it does not matter. */
  get isSure(): boolean {
    return !this.#isShared || this.#isHeard;
  }

  /** The same at a reading of the monotonic clock, on the way of every record; `undefined`: by both clocks. */
  isSureAt(now: number | undefined): boolean {
    if (now === undefined || !this.#isShared) return this.isSure;
    if (this.#isDoubtful || this.#acknowledged === undefined) return false;
    return now - this.#acknowledged.at < this.#acknowledgedLeaseMs;
  }

  /**
   * Whether it may claim what no record shows to be free. Not within a lease after an outage in which members, or positions, may have
   * expired: the others come back in that time, too, and write theirs again.
   */
  get mayClaim(): boolean {
    return this.isSure && performance.now() - this.#sureAgainAt >= this.#leaseMs;
  }

  /** Why no heartbeat will be taken, where the lease is over and the store refuses for good. */
  get failure(): OffsetStoreError | undefined {
    return this.#refusal === undefined || this.isSure ? undefined : this.#refusal;
  }

  /** Writes the first heartbeat: resolves when others can see the member. Rejects with the store's error, or the signal's reason. */
  async begin(signal: AbortSignal | undefined): Promise<void> {
    // Greater than that of any session before it, also where its record is gone. Two that begin at once differ.
    const before = (await this.#stored(signal))?.generation ?? 0;
    if (this.isInstance) this.#generation = Math.max(before + 1, Date.now() * 1_000 + randomInt(1_000));
    await this.#send(signal);
    if (!this.#ended.signal.aborted) this.#schedule(this.#leaseMs / HEARTBEATS_PER_LEASE);
  }

  /** Resolves when the member is sure again, has ended, or will never be. */
  async whenSure(): Promise<void> {
    if (this.isSure || this.#ended.signal.aborted || this.#refusal !== undefined) return;
    this.#sure ??= Promise.withResolvers();
    await this.#sure.promise;
  }

  /** Sends a heartbeat now: the record was removed. What fails is tried again soon. */
  async renew(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    await this.#underWayUntilItEnds(this.#send(this.#ended.signal).catch(() => undefined));
  }

  /** Whether a newer session has the same `instance`. Rejects if the store cannot be read. */
  async isReplaced(): Promise<boolean> {
    const stored = await this.#stored(this.#ended.signal);
    if (this.#generation === undefined || stored === undefined) return false;
    const generation = stored.generation ?? 0;
    // Its own record may have gone meanwhile: a session that began then found none.
    const mayBeForgotten = this.#elapsedMs >= this.#acknowledgedLeaseMs * RECLAIMED_AFTER_LEASES;
    if (generation === this.#generation || (generation < this.#generation && !mayBeForgotten)) return false;
    if (!this.#ended.signal.aborted) this.#onReplaced(stored);
    return true;
  }

  /** Says that it is due no partitions from now on, and lets go of those that it has. What fails is tried with the next heartbeat. */
  async retire(): Promise<void> {
    if (this.#mode === "balanced") this.#mode = "standby";
    await this.renew();
  }

  /** Stops the heartbeats: the member falls silent. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#ended.abort();
    this.#sure?.resolve();
    // A heartbeat under way would come after the member has left.
    await Promise.allSettled(this.#underWay);
  }

  /** Removes the record of a member that has stopped: others need not wait for the lease to end. What cannot be removed falls silent. */
  async leave(): Promise<void> {
    // It never came.
    if (this.#acknowledged === undefined) return;
    const { store, consumer, topic, member } = this.#context;
    await store.leave({ consumer, topic, member }).catch(() => undefined);
  }

  /** Whether partitions are shared by those that live. */
  get #isShared(): boolean {
    return this.#context.options.sharing !== "takeover";
  }

  /** Whether the others can know that it lives. */
  get #isHeard(): boolean {
    return !this.#isDoubtful && this.#elapsedMs < this.#acknowledgedLeaseMs;
  }

  get #elapsedMs(): number {
    return this.#acknowledged?.elapsedMs ?? Number.POSITIVE_INFINITY;
  }

  /**
   * After so long without heartbeats records of members like this one may have expired, or positions: those of the others are older
   * than its own last heartbeat, and it looks some time after it is back.
   */
  get #expiryMs(): number {
    const { leaseMs, ttl, renewInterval } = this.#context.options;
    const positionsMs = typeof ttl === "number" ? ttl - renewIntervalOf(ttl, renewInterval) : Number.POSITIVE_INFINITY;
    return Math.min(leaseMs * RECLAIMED_AFTER_LEASES, positionsMs) - leaseMs;
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#ended.signal.aborted) return;
    this.#timer = setTimeout(() => this.#onTimer(), ms);
    this.#timer.unref();
  }

  #onTimer(): void {
    const { emit, store, member } = this.#context;
    // Something held the event loop: it may do so again.
    if (performance.now() - this.#sentAt > this.#leaseMs && this.#leaseMs < MAX_LEASE_MS) {
      this.#leaseMs = Math.min(MAX_LEASE_MS, this.#leaseMs * 2);
      emit({ type: "lease-extended", member, leaseMs: this.#leaseMs });
    }
    const sending = this.#send(this.#ended.signal).catch((error: unknown) => {
      if (this.#ended.signal.aborted) return;
      const known = error instanceof OffsetStoreError ? error : unknownError("heartbeat", store.name, [], error);
      emit({ type: "heartbeat-failed", member, leaseExpired: !this.#isHeard, error: known });
      if (!isFinal(known)) return;
      this.#refusal = known;
      this.#settleSure();
    });
    void this.#underWayUntilItEnds(sending);
    this.#schedule(this.#leaseMs / HEARTBEATS_PER_LEASE / 2);
  }

  async #underWayUntilItEnds(sending: Promise<void>): Promise<void> {
    this.#underWay.add(sending);
    await sending;
    this.#underWay.delete(sending);
  }

  async #send(signal: AbortSignal | undefined): Promise<void> {
    const { store, consumer, topic, member, options } = this.#context;
    const sent = new Sent();
    this.#sentAt = sent.at;
    // The newer one's record is not written over.
    if (this.#acknowledged !== undefined && (await this.isReplaced())) return;
    const lease = this.#leaseMs;
    const entry = {
      key: { consumer, topic, member },
      mode: this.#mode,
      lease,
      owner: options.owner,
      held: this.#claims.held.size,
      process: thisProcess(),
      generation: this.#generation,
    };
    await store.heartbeat(entry, { signal });
    if (this.#acknowledged !== undefined && sent.at <= this.#acknowledged.at) return;
    // The first heartbeat of all cannot be late.
    if (this.#acknowledged !== undefined && this.#elapsedMs >= this.#acknowledgedLeaseMs) {
      this.#isDoubtful = true;
      this.#gapMs = Math.max(this.#gapMs, this.#elapsedMs);
    }
    this.#acknowledgedLeaseMs = lease;
    this.#refusal = undefined;
    this.#acknowledged = sent;
    this.#schedule(Math.max(0, sent.at + this.#leaseMs / HEARTBEATS_PER_LEASE - performance.now()));
    if (this.#isDoubtful) await this.#check();
    if (this.#isHeard) this.#settleSure();
  }

  /** The record of an `instance`, as it was written last. */
  async #stored(signal: AbortSignal | undefined): Promise<MemberRecord | undefined> {
    if (!this.isInstance) return undefined;
    const { store, consumer, topic, member } = this.#context;
    for await (const record of store.members({ consumer, topic }, { signal }))
      if (record.member === member) return record;
    return undefined;
  }

  #settleSure(): void {
    this.#sure?.resolve();
    this.#sure = undefined;
  }

  /** Finds out what is still held. The next heartbeat tries again what could not be found out. */
  async #check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    try {
      await this.#flusher.renew().catch((error: unknown) => {
        // What is refused for good is an event already, and is no other member's either.
        if (!(error instanceof OffsetStoreError) || !isFinal(error)) throw error;
      });
      this.#isDoubtful = false;
      if (this.#gapMs >= this.#expiryMs) this.#sureAgainAt = performance.now();
      this.#gapMs = 0;
    } finally {
      this.#isChecking = false;
    }
  }
}
