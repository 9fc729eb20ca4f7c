import type { CommitEntry, OffsetStore } from "@tidemark/core";

/** Faults of a store that a campaign must find. */
export const flaws = {
  /** As a bare SET: neither token nor position is looked at. */
  "unguarded-commit": (store) =>
    committing(store, (entry) => (entry.nextOffset === undefined ? entry : { ...entry, rewind: true }), true),
  /** Positions go forward only, but anybody writes them. */
  "fence-ignored": (store) => committing(store, (entry) => entry, true),
  /** The record in hand is committed with those before it. */
  "commit-before-delivery": (store) =>
    committing(store, (entry) => ({ ...entry, nextOffset: entry.nextOffset && entry.nextOffset + 1n }), false),
  /** Every other commit is said to be written, and is not. */
  "lost-commit": (store) => {
    let commits = 0;
    return replacing(store, {
      commit: async (entries, options) => {
        commits += 1;
        return commits % 2 === 0 ? entries.map(() => ({ status: "committed" })) : store.commit(entries, options);
      },
    });
  },
  /** Not of the store: the record and its position go into two transactions, one after the other. */
  "two-transactions": (store) => store,
} as const satisfies Readonly<Record<string, (store: OffsetStore<unknown>) => OffsetStore<unknown>>>;

/** The name of one of them. */
export type Flaw = keyof typeof flaws;

function committing(
  store: OffsetStore<unknown>,
  change: (entry: CommitEntry) => CommitEntry,
  takesClaim: boolean,
): OffsetStore<unknown> {
  return replacing(store, {
    commit: async (entries, options) => {
      const changed = entries.map(change);
      if (!takesClaim) return store.commit(changed, options);
      await store.claim(entries.map(({ key, token }) => ({ key, token, owner: "anybody" })));
      // Of the claim just taken, whatever the session believes.
      return store.commit(
        changed.map((entry) => ({ ...entry, epoch: undefined })),
        options,
      );
    },
  });
}

/** A store with some verbs of another. */
export function replacing(
  store: OffsetStore<unknown>,
  verbs: Partial<Pick<OffsetStore<unknown>, "claim" | "commit">>,
): OffsetStore<unknown> {
  return {
    name: store.name,
    namespace: store.namespace,
    capabilities: store.capabilities,
    claim: (entries, options) => (verbs.claim ?? store.claim.bind(store))(entries, options),
    commit: (entries, options) => (verbs.commit ?? store.commit.bind(store))(entries, options),
    fetch: (keys, options) => store.fetch(keys, options),
    list: (filter, options) => store.list(filter, options),
    reset: (entries, options) => store.reset(entries, options),
    expire: (entries, options) => store.expire(entries, options),
    delete: (selector, options) => store.delete(selector, options),
    heartbeat: (entry, options) => store.heartbeat(entry, options),
    leave: (key, options) => store.leave(key, options),
    members: (filter, options) => store.members(filter, options),
    group: (entry, options) => store.group(entry, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}
