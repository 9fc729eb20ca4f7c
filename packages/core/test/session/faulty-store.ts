import type { ClaimEntry, CommitEntry, OffsetKey, OffsetStore } from "@tidemark/core";
import {
  createOffsetStore,
  type DriverClaimOutcome,
  type DriverCommitOutcome,
  type DriverFetchOutcome,
} from "@tidemark/core/driver";
import { createMemoryStore, type MemoryBackend } from "@tidemark/store-memory";

/** What happens to one call: it may apply it or not, answer, fail or hang. */
export type Fault<Entry, Outcome> = (
  entries: readonly Entry[],
  apply: (entries?: readonly Entry[]) => Promise<readonly Outcome[]>,
) => Promise<readonly Outcome[]>;

/** A real store in memory whose calls are seen and go wrong as a test says. */
export interface FaultyStore {
  readonly store: OffsetStore;
  /** The same records without faults. */
  readonly inner: OffsetStore;
  /** The entries of every commit that was sent. */
  readonly commits: (readonly CommitEntry[])[];
  /** How many commits are under way, and how many were at most. */
  readonly inFlight: { now: number; most: number };
  commitFault: Fault<CommitEntry, DriverCommitOutcome> | undefined;
  claimFault: Fault<ClaimEntry, DriverClaimOutcome> | undefined;
  fetchFault: Fault<OffsetKey, DriverFetchOutcome> | undefined;
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
  const store = createOffsetStore(
    {
      name: "faulty",
      capabilities: inner.capabilities,
      claim: (entries) => {
        const apply = (some = entries): Promise<readonly DriverClaimOutcome[]> => inner.claim(some);
        return faulty.claimFault?.(entries, apply) ?? apply();
      },
      commit: async (entries) => {
        commits.push(entries);
        inFlight.now += 1;
        inFlight.most = Math.max(inFlight.most, inFlight.now);
        const apply = (some = entries): Promise<readonly DriverCommitOutcome[]> => inner.commit(some);
        try {
          return await (faulty.commitFault?.(entries, apply) ?? apply());
        } finally {
          inFlight.now -= 1;
        }
      },
      fetch: (keys) => {
        const apply = (some = keys): Promise<readonly DriverFetchOutcome[]> => inner.fetch(some);
        return faulty.fetchFault?.(keys, apply) ?? apply();
      },
      list: async function* (filter) {
        for await (const record of inner.list(filter)) yield [{ status: "found" as const, record }];
      },
      reset: (entries) => inner.reset(entries),
      expire: (entries) => inner.expire(entries),
      delete: (selector) => inner.delete(selector),
      // Not repeated by the store itself: the tests count what the session does.
      classify: (error) => ({ code: "UNAVAILABLE", retryable: false, message: String(error) }),
      close: () => inner.close(),
    },
    { timeout },
  );
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
