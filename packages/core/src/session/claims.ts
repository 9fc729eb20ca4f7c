import { randomBytes } from "node:crypto";
import { traced } from "../diagnostics/channels.ts";
import type { ClaimCall } from "../diagnostics/messages.ts";
import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { CallOptions, ClaimOutcome, HeldOutcome } from "../offset-store.ts";
import { HeldPartition } from "./held-partition.ts";
import type { SessionContext } from "./session-context.ts";

/** How claims are taken: `ifIdleFor` as in a claim. */
export type TakeOptions = CallOptions & { readonly ifIdleFor?: number | undefined };

/** What came of a call for claims. */
export interface TakenClaims {
  readonly taken: readonly HeldPartition[];
  /** Those that a living member holds. */
  readonly held: readonly HeldOutcome["record"][];
  /** The first that could not be answered. */
  readonly failure: OffsetStoreError | undefined;
}

/** The partitions that a session holds, and those that it held once. */
export class Claims {
  readonly held = new Map<number, HeldPartition>();
  readonly #session: object;
  readonly #context: SessionContext;
  readonly #token = newToken();
  readonly #former = new Set<number>();
  // The partition of the last call: records come in batches of one partition.
  #recent: HeldPartition | undefined;

  constructor(session: object, context: SessionContext) {
    this.#session = session;
    this.#context = context;
  }

  /** The numbers of those that are held, ascending. */
  get numbers(): readonly number[] {
    return [...this.held.keys()].toSorted((a, b) => a - b);
  }

  /** A partition that is held; `undefined` for one that is lost or released. */
  get(partition: number): HeldPartition | undefined {
    if (this.#recent?.key.partition === partition) return this.#recent;
    this.#recent = this.held.get(partition);
    return this.#recent;
  }

  /** Whether a partition was held once and is not any more. */
  isFormer(partition: number): boolean {
    return this.#former.has(partition);
  }

  /** Claims partitions that are not held. With `ifIdleFor` only those whose holder is silent or has ended (contract 8.3). */
  async take(partitions: readonly number[], { ifIdleFor, ...options }: TakeOptions): Promise<TakenClaims> {
    const { store, consumer, topic, member, options: own } = this.#context;
    const { owner, ttl } = own;
    const entries = partitions.map((partition) => ({
      key: { consumer, topic, partition },
      // One for all, also when a claim is tried again. What was held once is claimed again: writes of before are over.
      token: this.#former.has(partition) ? newToken() : this.#token,
      ...{ owner, ttl, member, ifIdleFor },
    }));
    const claim = (): Promise<readonly ClaimOutcome[]> => store.claim(entries, options);
    const toMessage = (): ClaimCall => ({
      consumer,
      topic,
      store: store.name,
      partitions: Object.freeze([...partitions]),
    });
    const outcomes = entries.length === 0 ? [] : await traced("tidemark:claim", claim, toMessage);
    const taken: HeldPartition[] = [];
    const held: HeldOutcome["record"][] = [];
    let failure: OffsetStoreError | undefined;
    for (const [index, outcome] of outcomes.entries()) {
      const entry = entries[index];
      if (outcome.status === "failed") failure ??= outcome.error;
      if (outcome.status === "held") held.push(outcome.record);
      if (outcome.status !== "claimed" || entry === undefined) continue;
      const { epoch, record } = outcome;
      const before = this.held.get(entry.key.partition);
      // Claimed twice at once: under the same token it is the same claim.
      if (before !== undefined && epoch <= before.epoch) continue;
      if (before !== undefined) before.isOver = true;
      const partition = new HeldPartition(this.#session, entry.key, {
        ...{ token: entry.token, owner, member, epoch, record },
        granularityMs: store.capabilities.expiry.granularityMs,
        ttl: ttl === undefined ? record?.ttl : (ttl ?? undefined),
      });
      this.held.set(entry.key.partition, partition);
      this.#former.delete(entry.key.partition);
      taken.push(partition);
    }
    this.#recent = undefined;
    return { taken, held, failure };
  }

  /** A partition is not held any more. */
  drop(partition: HeldPartition): void {
    const { partition: number } = partition.key;
    if (partition.isOver) return;
    this.held.delete(number);
    partition.isOver = true;
    this.#former.add(number);
    this.#recent = undefined;
  }
}

/** 128 random bits, so that no two sessions ever have the same. */
function newToken(): string {
  return randomBytes(16).toString("base64url");
}
