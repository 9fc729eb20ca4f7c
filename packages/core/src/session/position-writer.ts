import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { CommitOutcome, FencedOutcome, OffsetStore } from "../offset-store.ts";
import type { HeldPartitions } from "./held-partitions.ts";
import type { OffsetSessionEvent } from "./offset-session.ts";
import type { PartitionState, PendingWrite } from "./partition-state.ts";

const DEFAULT_RENEW_INTERVAL_MS = 30_000;
// What has expired under a renewal is written anew at once; more often than this is no race any more.
const MAX_IMMEDIATE_ATTEMPTS = 4;

/** What a {@link PositionWriter} works with. */
export interface PositionWriterContext {
  readonly store: OffsetStore<never>;
  readonly owner: string;
  readonly partitions: HeldPartitions;
  readonly renewInterval: number | undefined;
  readonly emit: (event: OffsetSessionEvent) => void;
  /** A partition's claim does not hold any more. */
  readonly onFenced: (state: PartitionState, outcome: FencedOutcome) => void;
  /** Why the session may no longer write; `undefined` while it may. */
  readonly fenced: () => Error | undefined;
  /** A TTL turned out to be another than was known. */
  readonly onTtlChanged: () => void;
}

/** Writes what is committed, renews what is idle, and takes in what the store answers. One call at a time. */
export class PositionWriter {
  readonly #context: PositionWriterContext;
  readonly #stopped = new AbortController();
  #ttlsReadAt = performance.now();
  #last: Promise<void> | undefined;

  constructor(context: PositionWriterContext) {
    this.#context = context;
  }

  /** All that is dirty, and, with `renew`, claims that are due. Rejects if anything could not be written. */
  async write(renew: boolean): Promise<void> {
    const now = performance.now();
    const failure = await this.#send((state) => state.dirty || (renew && this.renewalDueAt(state) <= now));
    if (this.#context.fenced() !== undefined) await this.writeLastTime();
    const fenced = this.#context.fenced();
    if (fenced !== undefined) throw fenced;
    this.#readTtls();
    if (failure !== undefined) throw failure;
  }

  /** What a fenced session still owns is written once more, and then nothing ever again. */
  writeLastTime(): Promise<void> {
    // What fails here is an event: nobody is left to try it again.
    this.#last ??= this.#send((state) => state.dirty).then(() => undefined);
    return this.#last;
  }

  /** Ends what is under way beside the writes. */
  stop(): void {
    this.#stopped.abort();
  }

  renewalDueAt(state: PartitionState): number {
    return state.lastWriteAt + this.#renewIntervalOf(state);
  }

  /** Whether the last acknowledged write of a partition is older than its TTL. */
  mayHaveExpired(state: PartitionState): boolean {
    const { granularityMs } = this.#context.store.capabilities.expiry;
    return state.ttl !== undefined && performance.now() - state.lastWriteAt + granularityMs >= state.ttl;
  }

  /** One write; sends again at once what only a race refused. Gives the first failure, which is an event by then. */
  async #send(included: (state: PartitionState) => boolean): Promise<OffsetStoreError | undefined> {
    const { store, partitions, emit } = this.#context;
    let failure: OffsetStoreError | undefined;
    let writes: PendingWrite[] = [];
    for (const state of partitions) if (included(state)) writes.push(state.write());
    for (let attempt = 1; writes.length > 0; attempt += 1) {
      const sentAt = performance.now();
      let outcomes: readonly CommitOutcome[];
      try {
        outcomes = await store.commit(writes.map(({ entry }) => entry));
      } catch (error) {
        const keys = writes.map(({ state }) => state.key);
        const known = error instanceof OffsetStoreError ? error : unknownError(store.name, keys, error);
        for (const { state } of writes) state.refusal = isFinal(known) ? known : undefined;
        emit({ type: "flush-failed", keys, error: known });
        return known;
      }
      const again: PendingWrite[] = [];
      for (const [index, outcome] of outcomes.entries()) {
        const write = writes[index];
        if (write === undefined) continue;
        if (outcome.status === "failed") {
          failure ??= outcome.error;
          write.state.refusal = isFinal(outcome.error) ? outcome.error : undefined;
          emit({ type: "flush-failed", keys: [write.state.key], error: outcome.error });
          continue;
        }
        const next = this.#answered(write, outcome, sentAt, attempt < MAX_IMMEDIATE_ATTEMPTS);
        if (next !== undefined) again.push(next);
      }
      writes = again;
    }
    return failure;
  }

  /** Takes in one answer. Gives what is to be sent again at once, if anything. */
  #answered(
    write: PendingWrite,
    outcome: Exclude<CommitOutcome, { status: "failed" }>,
    sentAt: number,
    mayRepeat: boolean,
  ): PendingWrite | undefined {
    const { owner, emit, onFenced } = this.#context;
    const { state, entry } = write;
    switch (outcome.status) {
      case "committed":
        if (entry.recreate === true) emit({ type: "recreated", key: state.key, nextOffset: entry.nextOffset });
        state.acknowledged(write, outcome.epoch, sentAt);
        return mayRepeat && write.isRepeated && state.dirty ? state.write() : undefined;
      case "behind":
        state.behind(write, outcome.record, sentAt);
        emit({ type: "behind", key: state.key, sent: entry.nextOffset ?? 0n, record: outcome.record });
        return undefined;
      case "fenced":
        // Only what is not there is written anew: a record whose TTL an operator made longer meanwhile keeps it.
        if (mayRepeat && outcome.reason === "absent" && entry.recreate !== true && this.mayHaveExpired(state)) {
          return state.write(owner);
        }
        onFenced(state, outcome);
        return undefined;
    }
  }

  /** Learns TTLs that an operator changed meanwhile, beside the writes: renewals and writing anew depend on them. */
  #readTtls(): void {
    const { store, partitions, onTtlChanged } = this.#context;
    const now = performance.now();
    const interval = partitions.earliest((state) => this.#renewIntervalOf(state)) ?? DEFAULT_RENEW_INTERVAL_MS;
    // Most renewals come a moment after their time, some a moment before: half an interval tells the turns apart.
    if (this.#stopped.signal.aborted || now - this.#ttlsReadAt < interval / 2) return;
    this.#ttlsReadAt = now;
    const states = [...partitions];
    if (states.length === 0) return;
    store
      .fetch(
        states.map(({ key }) => key),
        { signal: this.#stopped.signal },
      )
      .then(
        (outcomes) => {
          let changed = false;
          for (const [index, outcome] of outcomes.entries()) {
            const state = states[index];
            if (state === undefined || outcome.status !== "found" || state.ttl === outcome.record.ttl) continue;
            state.ttl = outcome.record.ttl;
            changed = true;
          }
          if (changed) onTtlChanged();
        },
        // It is asked again at the next turn; a store that is down shows at the writes.
        () => undefined,
      );
  }

  #renewIntervalOf(state: PartitionState): number {
    const { renewInterval } = this.#context;
    return renewInterval ?? Math.min(DEFAULT_RENEW_INTERVAL_MS, (state.ttl ?? Number.POSITIVE_INFINITY) / 3);
  }
}

/** Codes of a store that will not take the same write later either, unless somebody changes something. */
const FINAL_CODES: ReadonlySet<string> = new Set(["PERMISSION_DENIED", "CORRUPT_RECORD", "UNSUPPORTED", "CLOSED"]);

/** Whether a store refuses for good: whoever commits has to hear of it, waiting does not help. */
export function isFinal(error: OffsetStoreError): boolean {
  return !error.retryable && FINAL_CODES.has(error.code);
}

/** A store that was not made by `createOffsetStore` may reject with anything. */
function unknownError(store: string, keys: PartitionState["key"][], cause: unknown): OffsetStoreError {
  const message = `${store} store: commit failed: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new OffsetStoreError(message, { code: "UNKNOWN", operation: "commit", store, keys, cause });
}
