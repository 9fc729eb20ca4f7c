import {
  type CallOptions,
  type ClaimEntry,
  type ClaimOutcome,
  type CommitEntry,
  type CommitOutcome,
  type FetchOutcome,
  type OffsetKey,
  type OffsetStore,
  OffsetStoreError,
  type OffsetStoreOperation,
} from "@tidemark/core";
import { createMemoryStore, type MemoryBackend } from "@tidemark/store-memory";

/** An outcome as a fault may make it: a failure with any error. */
export type Faulted<Outcome> = Outcome | { readonly status: "failed"; readonly error: unknown };

/** What happens to one call: it may apply it or not, answer, fail or hang. */
export type Fault<Entry, Outcome> = (
  entries: readonly Entry[],
  apply: (entries?: readonly Entry[]) => Promise<readonly Outcome[]>,
) => Promise<readonly Faulted<Outcome>[]>;

/** A real store in memory whose calls are seen and go wrong as a test says. */
export interface FaultyStore {
  readonly store: OffsetStore;
  /** The same records without faults. */
  readonly inner: OffsetStore;
  /** The entries of every commit that was sent. */
  readonly commits: (readonly CommitEntry[])[];
  /** How many commits are under way, and how many were at most. */
  readonly inFlight: { now: number; most: number };
  commitFault: Fault<CommitEntry, CommitOutcome> | undefined;
  claimFault: Fault<ClaimEntry, ClaimOutcome> | undefined;
  fetchFault: Fault<OffsetKey, FetchOutcome> | undefined;
}

/** Nothing is applied. */
export async function fail(): Promise<never> {
  throw new Error("the store is down");
}

/** Nothing is applied and nobody answers. */
export function hang(): Promise<never> {
  return new Promise(() => undefined);
}

/** Applied, but the answer is lost. */
export async function loseAnswer(_entries: unknown, apply: () => Promise<unknown>): Promise<never> {
  await apply();
  throw new Error("the connection was reset");
}

/** Makes a faulty store over a new memory store, or over a backend that others use too. */
export function createFaultyStore(
  options: { readonly backend?: MemoryBackend; readonly timeout?: number } = {},
): FaultyStore {
  const { backend, timeout = 5_000 } = options;
  const inner = createMemoryStore({ backend });
  const commits: (readonly CommitEntry[])[] = [];
  const inFlight = { now: 0, most: 0 };
  const describe = (operation: OffsetStoreOperation, keys: readonly OffsetKey[], cause: unknown): OffsetStoreError =>
    // Not repeated by the store itself: the tests count what the session does.
    cause instanceof OffsetStoreError
      ? cause
      : new OffsetStoreError(String(cause), {
          ...{ code: "UNAVAILABLE", retryable: false, store: "faulty" },
          ...{ operation, keys, cause },
        });
  const answered = async <Outcome>(
    operation: OffsetStoreOperation,
    keys: readonly OffsetKey[],
    { signal }: CallOptions,
    call: () => Promise<readonly Faulted<Outcome>[]>,
  ): Promise<Outcome[]> => {
    signal?.throwIfAborted();
    const ended = Promise.withResolvers<never>();
    const onAbort = (): void => ended.reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(() => {
      const text = `no answer within ${timeout} ms`;
      ended.reject(new OffsetStoreError(text, { code: "TIMEOUT", store: "faulty", operation, keys }));
    }, timeout);
    try {
      const outcomes = await Promise.race([call(), ended.promise]);
      return outcomes.map((outcome, index) => {
        const failed = outcome as { readonly status: string; readonly error: unknown };
        const error = failed.status === "failed" && describe(operation, keys.slice(index, index + 1), failed.error);
        return error ? ({ status: "failed", error } as Outcome) : (outcome as Outcome);
      });
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      throw describe(operation, keys, error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  };
  const keysOf = (entries: readonly { readonly key: OffsetKey }[]): OffsetKey[] => entries.map(({ key }) => key);
  const store: OffsetStore = {
    name: "faulty",
    namespace: inner.namespace,
    capabilities: inner.capabilities,
    claim: (entries, callOptions = {}) =>
      answered<ClaimOutcome>("claim", keysOf(entries), callOptions, async () => {
        const apply = (some = entries): Promise<readonly ClaimOutcome[]> => inner.claim(some);
        return faulty.claimFault?.(entries, apply) ?? apply();
      }),
    commit: (entries, callOptions = {}) =>
      answered<CommitOutcome>("commit", keysOf(entries), callOptions, async () => {
        commits.push(entries);
        inFlight.now += 1;
        inFlight.most = Math.max(inFlight.most, inFlight.now);
        const apply = (some = entries): Promise<readonly CommitOutcome[]> => inner.commit(some);
        try {
          return await (faulty.commitFault?.(entries, apply) ?? apply());
        } finally {
          inFlight.now -= 1;
        }
      }),
    fetch: (keys, callOptions = {}) =>
      answered<FetchOutcome>("fetch", keys, callOptions, async () => {
        const apply = (some = keys): Promise<readonly FetchOutcome[]> => inner.fetch(some);
        return faulty.fetchFault?.(keys, apply) ?? apply();
      }),
    list: (filter) => inner.list(filter),
    reset: (entries) => inner.reset(entries),
    expire: (entries) => inner.expire(entries),
    delete: (selector) => inner.delete(selector),
    heartbeat: (entry) => inner.heartbeat(entry),
    leave: (key) => inner.leave(key),
    members: (filter) => inner.members(filter),
    group: (entry) => inner.group(entry),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  };
  const faulty: FaultyStore = {
    store,
    inner,
    commits,
    inFlight,
    commitFault: undefined,
    claimFault: undefined,
    fetchFault: undefined,
  };
  return faulty;
}

/** The stored position of a key. */
export async function storedOffset(store: OffsetStore, key: OffsetKey): Promise<bigint | undefined> {
  const [outcome] = await store.fetch([key]);
  return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
}
